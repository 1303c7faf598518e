"""What a platform team watches with: dashboards and rules, written as code."""
