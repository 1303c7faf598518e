"""The rules of an evaluation, from the first answer to publication. Decisions return facts. Pure."""
