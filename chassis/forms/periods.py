"""The one form of a period, which requests, files and definitions of programs are held to. What a period means is told
by `instruments.periods`."""

import re

FORM = r"(19|20)[0-9]{2}(-(H[12]|Q[1-4]|M(0[1-9]|1[0-2])|[0-9]{1,2}))?"
EXAMPLES = (
    "a year such as 2022, or a part of one: 2022-H1 a half, 2022-Q3 a quarter, 2022-M05 a month, 2022-1 the first"
)
_FORM = re.compile(FORM)


def is_period(text: str) -> bool:
    """Whether it has the form of a period."""
    return _FORM.fullmatch(text) is not None
