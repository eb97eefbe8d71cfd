"""The price book in the database, and the names usage is shown by."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from inventory.domain.catalogue import Price
from inventory.store import tables as t
from metering import book_store, book_tables, tables
from metering.books import planned
from metering.meters import meter_of

#: Tables that ``prices`` reads, for who keeps them (``revisions``).
PRICED_BY = (tables.prices, book_tables.price_books)


def prices(connection: Connection) -> list[Price]:
    """Return what plans and usage are priced by: approved price books, and the site document's prices where none holds."""
    return planned(site_prices(connection), book_store.approved(connection))


def site_prices(connection: Connection) -> list[Price]:
    """Return every price of the site document, by meter and date."""
    rows = connection.execute(select(tables.prices).order_by(tables.prices.c.meter, tables.prices.c.valid_from_s))
    return [Price(**r._mapping) for r in rows]


def save_price(connection: Connection, price: Price) -> None:
    """Write a price; whether the one before it may be changed is decided by the workflow.

    Raises:
        Invalid: ``price.meter_unknown``.
    """
    meter_of(price.meter)
    key = (tables.prices.c.meter == price.meter) & (tables.prices.c.valid_from_s == price.valid_from_s)
    value = {"micro_yuan_per_unit_hour": price.micro_yuan_per_unit_hour}
    if connection.execute(tables.prices.update().where(key).values(**value)).rowcount == 0:
        connection.execute(tables.prices.insert().values(meter=price.meter, valid_from_s=price.valid_from_s, **value))


def system_names(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """Return the names of systems by id; released ones too."""
    rows = connection.execute(select(t.systems.c.id, t.systems.c.name).where(t.systems.c.id.in_(list(ids))))
    return {r.id: r.name for r in rows}
