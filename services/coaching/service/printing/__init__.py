"""Documents as files: HTML and PDF of the same paper, the same bytes whenever they are made."""
