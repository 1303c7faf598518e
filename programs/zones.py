"""What people call the clocks of a place."""

from datetime import datetime


def zone_name(moment: datetime) -> str:
    """WIB, WITA, WIT, CET; UTC+08 where a zone has no letters."""
    name = moment.tzname() or "UTC"
    return f"UTC{name}" if name[:1] in "+-" else name
