"""A table of institutions, with the columns code, name, kind, parent, as rows for the import."""

import io
from collections.abc import Callable, Iterator

from livinglab.program.v1 import directory_service_pb2 as pb

from chassis.tables import Column, Form, Table
from directory import codes

LARGEST_FILE = 8 * 2**20  # bytes
_FORM = Form(
    (
        Column("code", ("kode", "kode instansi", "institution"), codes.code_of, remark=codes.told),
        Column("name", ("nama", "nama instansi", "instansi")),
        Column("kind", ("jenis",)),
        Column("parent", ("induk", "kode induk"), codes.code_of, optional=True, remark=codes.told),
    )
)


def rows_of(content: bytes, told: Callable[[Table], None] = lambda _: None) -> Iterator[pb.InstitutionRow]:
    """The rows of a CSV or XLSX; what cannot be read is a row that says so. The column parent may be left out. At the
    end `told` hears of the table."""
    table = Table(io.BytesIO(content), _FORM)
    for row in table:
        if row.fault:
            yield pb.InstitutionRow(line=row.line, unreadable=row.fault[:1_000])
        else:
            yield pb.InstitutionRow(line=row.line, **row.cells)
    told(table)
