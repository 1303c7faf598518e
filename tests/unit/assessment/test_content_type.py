"""What a file is by its content, where no server is needed to tell: archives that swell."""

import io
import zipfile

import pytest

from chassis.errors import Refused
from services.assessment.model import content_type


def directory(unpacked: int, method: int = zipfile.ZIP_DEFLATED) -> tuple[bytes, int]:
    """The directory of a document with a part of so many bytes, and the size of the whole."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        archive.writestr("word/document.xml", bytes(unpacked))
    content = file.getvalue()
    found = content_type.directory_of(content[-content_type.LONGEST_END :], len(content))
    return content[found.start : found.start + found.length], len(content)


def test_a_document_that_swells_beyond_measure_is_refused_unopened() -> None:
    bomb, size = directory(content_type.SMALL_UNPACKED + 1)
    with pytest.raises(Refused) as refused:
        content_type.ooxml_kind(bomb, size)
    assert f"unpacks to {content_type.SMALL_UNPACKED + 5}" in refused.value.violations[0].description


@pytest.mark.parametrize(
    "document", [directory(content_type.SMALL_UNPACKED - 4), directory(100_000), directory(100_000, zipfile.ZIP_STORED)]
)
def test_a_document_that_shrank_well_or_not_at_all_is_taken(document: tuple[bytes, int]) -> None:
    assert content_type.ooxml_kind(*document)
