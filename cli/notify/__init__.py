"""`livinglab notify` and `livinglab inbox`: letters, and what one was told."""
