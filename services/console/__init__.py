"""The console: pages for everyone the program is for. It owns no data and calls the services as who asks."""
