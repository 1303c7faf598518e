"""`livinglab release`, for the platform team, straight to Temporal."""
