"""Column types that mean the same on SQLite (STRICT tables) and PostgreSQL."""

import json
from typing import Any

from sqlalchemy import BigInteger, Dialect, Double, Integer, Text, TypeDecorator
from sqlalchemy.dialects import sqlite

#: 64-bit integer.
Big: BigInteger = BigInteger().with_variant(Integer(), "sqlite")
#: UTC epoch seconds with a fraction.
Seconds: Double[float] = Double().with_variant(sqlite.REAL(), "sqlite")


class Flag(TypeDecorator[bool]):
    """A boolean kept as 0 or 1: STRICT tables know no BOOLEAN."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> int | None:  # noqa: ARG002  signature of the base
        """Python to database."""
        return None if value is None else int(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> bool | None:  # noqa: ARG002  signature of the base
        """Database to Python."""
        return None if value is None else bool(value)


#: Made once: ``json.dumps`` makes a new one for every value.
_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


class Encoded(str):
    """A value that is in its stored form already."""

    __slots__ = ()


def encoded(value: Any) -> Encoded:
    """Return the stored form of a value, which is then not made again."""
    return Encoded(_CANONICAL.encode(value))


class Json(TypeDecorator[Any]):
    """JSON as canonical text (sorted keys, UTF-8): equal values are equal bytes, which hash chains need."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002  signature of the base
        """Python to database."""
        if isinstance(value, Encoded):
            return str(value)
        return None if value is None else _CANONICAL.encode(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002  signature of the base
        """Database to Python."""
        return None if value is None else json.loads(value)
