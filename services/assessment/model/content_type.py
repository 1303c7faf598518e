"""What a file is by its content: signatures at its start, the directory of an archive, whether it is text."""

import codecs
import struct
from dataclasses import dataclass

from livinglab.assessment.v1 import evidence_pb2 as pb

from chassis.errors import Refused, invalid_field

LONGEST_SIGNATURE = 8
# The end of an archive: its closing record, and the longest comment after it.
LONGEST_END = 22 + 65_535
LARGEST_DIRECTORY = 4 * 2**20
# What an archive may unpack to without a question, and how many times its own size above that: text shrinks to a tenth,
# only a bomb to a thousandth. Nothing is unpacked here, but those who download it do so.
SMALL_UNPACKED = 64 * 2**20
MOST_UNPACKED_TIMES = 100

_ZIP = b"PK\x03\x04"
_SIGNATURES = {
    b"%PDF-": pb.CONTENT_TYPE_PDF,
    b"\x89PNG\r\n\x1a\n": pb.CONTENT_TYPE_PNG,
    b"\xff\xd8\xff": pb.CONTENT_TYPE_JPEG,
}
# The part that makes an Office Open XML package what it is (ECMA-376, part 1).
_OOXML = {
    "word/document.xml": pb.CONTENT_TYPE_DOCX,
    "xl/workbook.xml": pb.CONTENT_TYPE_XLSX,
    "ppt/presentation.xml": pb.CONTENT_TYPE_PPTX,
}
_PRINTED = bytes(set(range(256)) - (set(range(32)) - set(b"\t\n\r\f")))
_ENTRY = struct.Struct("<4s20xIHHH12x")
_CLOSING = struct.Struct("<4s8xII2x")


class Sniffer:
    """Looks at a file as it passes, from its start, and holds nothing of it but the first bytes."""

    def __init__(self) -> None:
        self._start = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = True
        self._lines: list[str] = [""]

    def feed(self, data: bytes) -> None:
        """The next bytes; INVALID_ARGUMENT as soon as they can be no kind that is taken."""
        if len(self._start) < LONGEST_SIGNATURE:
            self._start += data[: LONGEST_SIGNATURE - len(self._start)]
        if not self._text:
            return
        try:
            found = self._decoder.decode(data)
            self._text = not data.translate(None, _PRINTED)
        except UnicodeDecodeError:
            self._text = False
        else:
            self._keep_lines(found)
        if not self._text and len(self._start) == LONGEST_SIGNATURE and not (self._signed() or self.is_archive()):
            raise untaken()

    def is_archive(self) -> bool:
        """Whether the archive's directory has to say what it is."""
        return self._start.startswith(_ZIP)

    def finish(self) -> pb.ContentType.ValueType:
        """What it is, unless it is an archive; INVALID_ARGUMENT where it is no kind that is taken."""
        signed = self._signed()
        if signed:
            return signed
        try:
            self._decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            self._text = False
        if not self._text:
            raise untaken()
        return pb.CONTENT_TYPE_CSV if self._columns() else pb.CONTENT_TYPE_TEXT

    def _signed(self) -> pb.ContentType.ValueType | None:
        """The kind by its signature."""
        return next((kind for start, kind in _SIGNATURES.items() if self._start.startswith(start)), None)

    def _keep_lines(self, text: str) -> None:
        """The first two lines, for as long as they are short."""
        if len(self._lines) < 3 and len(self._lines[-1]) < 10_000:
            first, *more = text[:20_000].split("\n", 2)
            self._lines[-1] += first
            self._lines += more

    def _columns(self) -> bool:
        """Whether the first two lines have the same number of separated columns."""
        if len(self._lines) < 2:
            return False
        return any(self._lines[0].count(sign) == self._lines[1].count(sign) > 0 for sign in ",;\t")


@dataclass(frozen=True)
class Span:
    """A stretch of a file, in bytes."""

    start: int
    length: int


def directory_of(end: bytes, size: int) -> Span:
    """Where the directory of an archive is, given the file's last bytes and its size."""
    place = end.rfind(b"PK\x05\x06")
    if place < 0 or len(end) - place < _CLOSING.size:
        raise untaken("an archive without an end")
    _, length, start = _CLOSING.unpack_from(end, place)
    if length > LARGEST_DIRECTORY or start + length > size:
        raise untaken("an archive whose directory is out of place")
    return Span(start, length)


def ooxml_kind(directory: bytes, size: int) -> pb.ContentType.ValueType:
    """Text, sheet or slides, by the names of the parts; INVALID_ARGUMENT for any other archive, for macros, and for one
    that swells beyond measure from its `size` in bytes."""
    names = set()
    unpacked = 0
    place = 0
    while place + 46 <= len(directory):
        signature, length, name, extra, comment = _ENTRY.unpack_from(directory, place)
        if signature != b"PK\x01\x02":
            break
        unpacked += length
        names.add(directory[place + 46 : place + 46 + name].decode("utf-8", "replace"))
        place += 46 + name + extra + comment
    if any(name.endswith("vbaProject.bin") for name in names):
        raise untaken("a document with macros")
    if unpacked > max(SMALL_UNPACKED, MOST_UNPACKED_TIMES * size):
        raise untaken(f"an archive of {size} bytes that unpacks to {unpacked}")
    kinds = {kind for part, kind in _OOXML.items() if part in names}
    if "[Content_Types].xml" not in names or len(kinds) != 1:
        raise untaken("an archive that is no document")
    return kinds.pop()


def untaken(what: str = "") -> Refused:
    """The refusal of a file that is of no kind that is taken."""
    taken = "PDF, PNG, JPEG, DOCX, XLSX, PPTX, CSV and plain text in UTF-8 are taken"
    return invalid_field("data", f"is {what or 'no kind of file that is known'} by its content; {taken}")
