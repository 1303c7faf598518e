"""`livinglab plan`, `session` and `visit`: what people do in a cohort."""
