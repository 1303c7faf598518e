"""A letter's text as a page: the same words, escaped, in paragraphs, with its links to follow. Pure."""

import html
import re

_LINK = re.compile(r"https?://[^\s<>&]+")


def page(subject: str, body: str, language: str) -> str:
    """HTML that needs nothing from elsewhere. What people typed stays text, whatever it looks like."""
    paragraphs = "\n".join(f"<p>{_lines(one)}</p>" for one in re.split(r"\n{2,}", body.strip()))
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head><meta charset="utf-8"><title>{html.escape(subject)}</title>'
        '</head>\n<body style="font-family: sans-serif; max-width: 40em; line-height: 1.5">\n'
        f"{paragraphs}\n</body>\n</html>\n"
    )


def _lines(text: str) -> str:
    return "<br>\n".join(_LINK.sub(r'<a href="\g<0>">\g<0></a>', html.escape(line)) for line in text.splitlines())
