"""Codes of institutions as a command is given them: read as in files, so that 32.1 means the same everywhere."""


def as_code(text: str) -> str:
    """The code that is meant; what is read as another one than it says is told beside the output."""
    from cli.speak.output import note
    from directory import codes

    if later := codes.told(text):
        note(later)
    return codes.code_of(text)
