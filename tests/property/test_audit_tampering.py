"""Two thousand random tampers with a copy of the state: every one is found, and no untouched chain is accused."""

import random
import shutil
import sqlite3
from pathlib import Path

from controller.identity import audit
from controller.identity.audit import Head, VerifyResult
from inventory.store.engine import open_database
from tests.support.audit_chain import append_events, raw
from tests.support.database import sqlite_database

_TAMPERS = 2_000
_EVENTS = 25
_SEED = 20_240_601
_TEXTS = ("actor", "role", "on_behalf_of", "source", "action", "target", "department_id", "result", "detail")
_HASHES = ("previous_hash", "hash")


def test_two_thousand_random_tampers_are_all_found(tmp_path: Path) -> None:
    pristine, copy = tmp_path / "state.db", tmp_path / "copy.db"
    with sqlite_database(pristine) as database:
        head = append_events(database, _EVENTS)
    with raw(pristine):
        pass
    assert verify(pristine, head).is_intact
    source = random.Random(_SEED)
    missed = []
    for number in range(_TAMPERS):
        shutil.copy(pristine, copy)
        connection = sqlite3.connect(copy)
        connection.execute("PRAGMA synchronous=OFF")
        done = tamper(connection, source)
        connection.commit()
        connection.close()
        if verify(copy, head).is_intact:
            missed.append((number, done))
    assert missed == []


def verify(path: Path, head: Head) -> VerifyResult:
    database = open_database(f"sqlite:///{path}")
    try:
        with database.read() as connection:
            return audit.verify(connection, head)
    finally:
        database.dispose()


def tamper(connection: sqlite3.Connection, source: random.Random) -> str:
    kind = source.choice((flip_bit, change_time, blank, delete, swap, truncate, duplicate, renumber, insert_forged))
    return f"{kind.__name__}: {kind(connection, source)}"


def _seq(source: random.Random) -> int:
    return source.randint(1, _EVENTS)


def flip_bit(connection: sqlite3.Connection, source: random.Random) -> str:
    column, seq = source.choice(_TEXTS + _HASHES), _seq(source)
    query = f"SELECT CAST(coalesce({column}, 'x') AS BLOB) FROM audit WHERE seq = ?"
    data = bytearray(connection.execute(query, (seq,)).fetchone()[0] or b"x")
    place, bit = source.randrange(len(data)), source.randrange(8)
    data[place] ^= 1 << bit
    connection.execute(f"UPDATE audit SET {column} = CAST(? AS TEXT) WHERE seq = ?", (bytes(data), seq))
    return f"{column} of {seq}, byte {place}, bit {bit}"


def change_time(connection: sqlite3.Connection, source: random.Random) -> str:
    by, seq = source.choice((-86_400, -1, 1, 3_600)), _seq(source)
    connection.execute("UPDATE audit SET at_s = at_s + ? WHERE seq = ?", (by, seq))
    return f"{seq} by {by}"


def blank(connection: sqlite3.Connection, source: random.Random) -> str:
    column, seq = source.choice(("actor", "target", "detail", "source")), _seq(source)
    connection.execute(f"UPDATE audit SET {column} = '' WHERE seq = ?", (seq,))
    return f"{column} of {seq}"


def delete(connection: sqlite3.Connection, source: random.Random) -> str:
    seq = _seq(source)
    connection.execute("DELETE FROM audit WHERE seq = ?", (seq,))
    return str(seq)


def swap(connection: sqlite3.Connection, source: random.Random) -> str:
    first, second = source.sample(range(1, _EVENTS + 1), 2)
    for old, new in ((first, 0), (second, first), (0, second)):
        connection.execute("UPDATE audit SET seq = ? WHERE seq = ?", (new, old))
    return f"{first} and {second}"


def truncate(connection: sqlite3.Connection, source: random.Random) -> str:
    seq = _seq(source)
    connection.execute("DELETE FROM audit WHERE seq >= ?", (seq,))
    return f"from {seq}"


def duplicate(connection: sqlite3.Connection, source: random.Random) -> str:
    seq, to = _seq(source), source.choice((0, -3, _EVENTS + 1, _EVENTS + 9))
    row = list(connection.execute("SELECT * FROM audit WHERE seq = ?", (seq,)).fetchone())
    row[0], row[-1] = to, f"{source.getrandbits(256):064x}"
    connection.execute(f"INSERT INTO audit VALUES ({', '.join('?' * len(row))})", row)
    return f"{seq} as {to}"


def renumber(connection: sqlite3.Connection, source: random.Random) -> str:
    seq = _seq(source)
    connection.execute("UPDATE audit SET seq = -seq WHERE seq >= ?", (seq,))
    connection.execute("UPDATE audit SET seq = -seq + 1 WHERE seq < 0")
    return f"from {seq} on by one"


def insert_forged(connection: sqlite3.Connection, source: random.Random) -> str:
    """Replace the tail by events that link properly among themselves, but with no other work than a re-link."""
    seq = _seq(source)
    forged = f"{source.getrandbits(256):064x}"
    connection.execute("UPDATE audit SET actor = 'innocent', hash = ? WHERE seq = ?", (forged, seq))
    connection.execute("UPDATE audit SET previous_hash = ? WHERE seq = ?", (forged, seq + 1))
    return f"at {seq}"
