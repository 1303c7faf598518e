"""The token that this process sends with its own calls to other services."""

from pathlib import Path

from chassis.errors import unavailable


class TokenFile:
    """This process's own token, read again when the file changes."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stamp = 0
        self._header = ""

    def authorization(self) -> str:
        """The header to send; empty where no file is configured."""
        if self._path is None:
            return ""
        try:
            stamp = self._path.stat().st_mtime_ns
            if stamp != self._stamp:
                self._header = f"Bearer {self._path.read_text().strip()}"
                self._stamp = stamp
        except OSError as error:
            raise unavailable(f"the token file {self._path.name}") from error
        return self._header
