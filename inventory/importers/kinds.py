"""Documents of one kind (prices, budgets, costs, rules): their head, and how their bytes become values."""

from typing import Any, NamedTuple

from inventory.importers.document import read_document, refuse
from inventory.importers.shapes import Choice, Field, Reading, Record, Shape

API_VERSION = "allotment/v1"


class Read(NamedTuple):
    """What a document says."""

    values: dict[str, Any]
    #: For what a shape alone cannot tell.
    reading: Reading
    #: Of the bytes.
    sha256: str


def entry(name: str, shape: Shape, zh: str = "", *, required: bool = False) -> Field:
    """Return a field that is described by its name alone."""
    return Field(name=name, shape=shape, zh=zh, required=required)


def head(kind: str, zh: str = "") -> tuple[Field, Field]:
    """Return the fields every document begins with."""
    return (
        entry("apiVersion", Choice(labels={API_VERSION: ""}), required=True),
        entry("kind", Choice(labels={kind: zh}), "类型" if zh else "", required=True),
    )


def read(record: Record, data: bytes, *, unknown_field: str) -> Read:
    """Read bytes; ``unknown_field`` is the subject's own code of a field nobody knows.

    Raises:
        Invalid: with every problem that was found.
    """
    document = read_document(data)
    reading = Reading(unknown_field=unknown_field, not_offered=unknown_field)
    values = record.read(document.root, "", reading) or {}
    if reading.problems:
        # What could not be read cannot be judged against the rest.
        raise refuse(reading.problems)
    return Read(values, reading, document.sha256)
