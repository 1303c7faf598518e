"""A file of institutions, CSV with the columns code, name, kind, parent, as rows for the import."""

import csv
import io
from collections.abc import Iterator, Sequence

from livinglab.program.v1 import directory_service_pb2 as pb

from directory import unclipped

LARGEST_FILE = 8 * 2**20  # bytes
_COLUMNS = ("code", "name", "kind", "parent")
_HEADER = f"the header must be `{','.join(_COLUMNS)}`"
# What spreadsheets write between the values of a line.
_SEPARATORS = ",;\t"
_LONGEST_CELL = 200


def rows_of(content: bytes) -> Iterator[pb.InstitutionRow]:
    """The rows of a file; what cannot be read is a row that says so. The column parent may be left out."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        yield pb.InstitutionRow(line=line, unreadable="is not UTF-8 text: save the file as CSV UTF-8")
        return
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(_SEPARATORS, key=head.count), strict=True)
    columns: list[str] = []
    first = 1
    try:
        for cells in reader:
            found = [cell.strip() for cell in cells]
            if not any(found):
                pass
            elif columns:
                yield _row(first, found, columns)
            else:
                columns = [cell.lower() for cell in found]
                if sorted({*columns, "parent"}) != sorted(_COLUMNS) or len(columns) != len(set(columns)):
                    yield pb.InstitutionRow(line=first, unreadable=_HEADER)
                    return
            first = reader.line_num + 1
    except csv.Error as error:
        yield pb.InstitutionRow(line=first, unreadable=f"is not CSV: {error}")
        return
    if not columns:
        yield pb.InstitutionRow(line=1, unreadable=f"is empty: {_HEADER}")


def _row(line: int, cells: Sequence[str], columns: Sequence[str]) -> pb.InstitutionRow:
    if any(cells[len(columns) :]):
        return pb.InstitutionRow(line=line, unreadable=f"has {len(cells)} values for {len(columns)} columns")
    if any(len(cell) > _LONGEST_CELL for cell in cells):
        return pb.InstitutionRow(line=line, unreadable=f"has a value of more than {_LONGEST_CELL} characters")
    found = dict(zip(columns, cells, strict=False))
    return pb.InstitutionRow(
        line=line,
        code=unclipped(found.get("code", "")),
        name=found.get("name", ""),
        kind=found.get("kind", ""),
        parent=unclipped(found.get("parent", "")),
    )
