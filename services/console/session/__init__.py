"""Who asks for a page, and with which token the services are called for them."""
