"""Messages to people: written from templates, delivered as e-mail, each with one record of what became of it."""
