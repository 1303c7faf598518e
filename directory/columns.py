"""The columns that name an institution, in whatever table."""

from chassis.tables import Column
from directory import codes

INSTITUTION = Column(
    "institution",
    ("kode instansi", "kode wilayah", "kode daerah", "kode kemendagri", "kode", "code", "instansi", "daerah"),
    codes.code_of,
    remark=codes.told,
)
# Held against the code.
NAME = Column(
    "name",
    (
        "nama",
        "nama instansi",
        "nama daerah",
        "nama wilayah",
        "pemerintah daerah",
        "instansi",
        "daerah",
        "kabupaten/kota",
    ),
    optional=True,
)
