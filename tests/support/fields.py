"""The fields of a ticket, walked: what is offered and what is only known by name."""

from collections.abc import Iterator

from controller.tickets.schema import TICKET
from inventory.importers.shapes import ListOf, Record, Shape, TextOr


def field_paths(shape: Shape | None = TICKET, path: str = "") -> Iterator[tuple[str, bool]]:
    """Yield every field of a ticket as (path, is offered)."""
    if isinstance(shape, ListOf):
        yield from field_paths(shape.item, path)
    elif isinstance(shape, TextOr):
        yield from field_paths(shape.record, path)
    elif isinstance(shape, Record):
        for field in shape.fields:
            below = f"{path}.{field.name}".lstrip(".")
            yield below, field.shape is not None
            yield from field_paths(field.shape, below)
