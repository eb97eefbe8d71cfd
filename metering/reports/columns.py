"""What a dataset is: its columns, each with its type and the expression it is made by, for every format the same. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Type(StrEnum):
    """How a column is written."""

    TEXT = "text"
    #: A whole number that fits into 64 bits.
    INTEGER = "integer"
    #: A whole number that may be larger.
    BIG = "big"
    #: A decimal with ``scale`` places; a string in JSON, decimal128 in Parquet.
    DECIMAL = "decimal"
    #: UTC seconds; ``2026-05-31T16:00:00Z`` in texts, a UTC timestamp in Parquet.
    MOMENT = "moment"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a dataset."""

    name: str
    #: Expression over the dataset's source; of type MOMENT: seconds; of type DECIMAL: a decimal.
    sql: str
    type: Type = Type.TEXT
    scale: int = 6


class Format(StrEnum):
    """What a table is written as."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A table that can be written in every format."""

    name: str
    columns: tuple[Column, ...]
    #: What the expressions speak of: ``chunk``, or a query over it that keeps the order of its rows.
    source: str = "chunk"

    def query(self, format_: Format) -> str:
        """Return the query whose result is the rows of the current chunk."""
        chosen = ", ".join(f'{expression(c, format_)} AS "{c.name}"' for c in self.columns)
        return f"SELECT {chosen} FROM {self.source}"  # noqa: S608  names and expressions of our own


def expression(column: Column, format_: Format) -> str:
    """Return how a column is written in a format."""
    if column.type is Type.MOMENT:
        moment = f"make_timestamp({column.sql} * 1000000::BIGINT)"
        if format_ is Format.PARQUET:
            return f"{moment}::TIMESTAMPTZ"
        return f"strftime({moment}, '%Y-%m-%dT%H:%M:%SZ')"
    if column.type in (Type.DECIMAL, Type.BIG) and format_ is Format.JSON:
        return f"({column.sql})::VARCHAR"
    if column.type is Type.BIG and format_ is Format.PARQUET:
        return f"({column.sql})::DECIMAL(38, 0)"
    return column.sql


def shifted(integer: str, scale: int, unit: int) -> str:
    """Return the decimal with ``scale`` places of an integer expression that counts 10 ** -``unit``."""
    padded = integer if scale == unit else f"({integer}) * {10 ** (scale - unit)}::HUGEINT"
    one = f"0.{'0' * (scale - 1)}1"
    # A product of decimals is exact; a quotient would be a floating-point number.
    return f"(({padded})::DECIMAL(38, 0) * {one}::DECIMAL({scale + 1}, {scale}))"


def plain(name: str, type_: Type = Type.TEXT, scale: int = 6) -> Column:
    """Return the column of a small table, whose cells are all given as texts."""
    casts: Mapping[Type, str] = {
        Type.TEXT: "VARCHAR",
        Type.INTEGER: "BIGINT",
        Type.BIG: "HUGEINT",
        Type.DECIMAL: f"DECIMAL(38, {scale})",
        Type.MOMENT: "BIGINT",
    }
    return Column(name, f'"{name}"::{casts[type_]}', type_, scale)


#: What a spreadsheet may begin a formula with; the full-width ones are read like the others by its East Asian versions.
_FORMULA_SIGNS = frozenset("=+-@\t＝＋－＠")


def neutral(text: str) -> str:
    """Return a text no spreadsheet takes for a formula, on one line."""
    flat = text.replace("\r", " ").replace("\n", " ") if "\n" in text or "\r" in text else text
    return "'" + flat if flat[:1] in _FORMULA_SIGNS else flat
