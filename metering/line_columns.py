"""Many rated lines as columns, and columns as the bytes the database keeps. Pure.

A month of a large site has more than a million lines: as rows of a table they are 300 bytes each, of which most repeat; and
every reader makes a dozen objects of each. As columns they are a sixth of that, and reports compute with them as they are.
A block is made of what a line's id is the hash of: whose it is, its figures, and what it is of (``metering.lines``).

Bytes of a block: ``allot-lines-1`` and a line feed; the length of the head (4 bytes, big endian); the head, JSON deflated by
zlib: ``count``, ``owners`` (project, system, resource), ``whats`` (kind, meter, state, book, reference, reason, billing),
``columns`` (least value and width in bytes of each); then each column, its values less the least of them, little endian: the
nine figures of a line, the number of its owner, the number of what it is of.
"""

import json
import struct
import zlib
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, islice
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from metering import exact_sums
from metering.exact_sums import Ints
from metering.lines import ID_BYTES, Line, owner_digest, what


class OwnerKey(NamedTuple):
    """Whose a line is."""

    department_id: str
    project_id: str
    system_id: str
    resource_id: str


class WhatKey(NamedTuple):
    """What a line is of."""

    kind: str
    meter: str
    state: str
    book_id: str
    reference: str
    reason: str
    billing: str


Key = TypeVar("Key", OwnerKey, WhatKey)
Kept = TypeVar("Kept", bound=Hashable)
#: Figures of a line, in the order of its id.
AMOUNT, START, END, OPENED, CLOSED, UNIT_PRICE, POINTS, LISTED, BILLED = range(9)
_MAGIC = b"allot-lines-1\n"
_LENGTH = struct.Struct(">I")
_WIDTHS = (0, 1, 2, 4, 8)


class UnreadableLinesError(ValueError):
    """What is kept is not a block of lines."""


class Numbers(dict[Kept, int], Generic[Kept]):
    """Numbers things in the order they come in, each once: a million look-ups, of which few are of something new."""

    def __missing__(self, key: Kept) -> int:
        self[key] = number = len(self)
        return number

    def of(self, keys: Iterable[Any]) -> Ints:
        """Return the number of each key, or of what equals it."""
        return np.array(list(map(self.__getitem__, keys)), dtype=np.int64)


class _Owners(Numbers[OwnerKey]):
    """Takes plain tuples, of which there are a million, and keeps the few that differ with their names."""

    def __missing__(self, key: tuple[str, str, str, str]) -> int:
        return super().__missing__(OwnerKey(*key))


@dataclass(slots=True)
class Legend:
    """The owners of lines, and what lines are of: each once, by number, with the bytes it stands for in a line's id."""

    period_id: str
    owners: _Owners = field(default_factory=_Owners)
    whats: Numbers[WhatKey] = field(default_factory=Numbers)
    digests: list[bytes] = field(default_factory=list)
    tails: list[bytes] = field(default_factory=list)

    def owners_of(self, keys: Iterable[tuple[str, str, str, str]]) -> Ints:
        """Return the number of each owner: department, project, system, resource."""
        known, found = len(self.owners), self.owners.of(keys)
        # Dictionaries keep the order things came in.
        self.digests += [owner_digest(self.period_id, *key) for key in islice(self.owners, known, None)]
        return found

    def what_of(self, key: WhatKey) -> int:
        """Return the number of what a line is of."""
        number = self.whats[key]
        if number == len(self.tails):
            self.tails.append(what(*key))
        return number

    def columns(self, lines: Iterable[Line]) -> "LineColumns":
        """Return lines as columns."""
        kept = list(lines)
        figures = [(*line[7:12], *line[13:17]) for line in kept]
        ids = b"".join(line.id_in(self.period_id) for line in kept)
        return LineColumns(
            ids=np.frombuffer(ids, dtype=np.uint8).reshape(-1, ID_BYTES),
            figures=np.array(figures, dtype=np.int64).reshape(-1, 9).T,
            owner_of=self.owners_of(OwnerKey(x.department_id, x.project_id, x.system_id, x.resource_id) for x in kept),
            what_of=np.array([self.what_of(_what(line)) for line in kept], dtype=np.int64),
            owners=self.owners,
            whats=self.whats,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LineColumns:
    """Lines, column by column."""

    #: A row of 16 bytes for each line.
    ids: NDArray[np.uint8]
    #: Nine rows, a column for each line.
    figures: Ints
    #: Number of each line's owner, and of what it is of.
    owner_of: Ints
    what_of: Ints
    #: In the order of their numbers.
    owners: Iterable[OwnerKey]
    whats: Iterable[WhatKey]

    def __len__(self) -> int:
        return len(self.owner_of)

    def part(self, which: Ints | slice) -> "LineColumns":
        """Return some of the lines."""
        return LineColumns(
            ids=self.ids[which],
            figures=self.figures[:, which],
            owner_of=self.owner_of[which],
            what_of=self.what_of[which],
            owners=self.owners,
            whats=self.whats,
        )

    def rows(self) -> Iterator[tuple[bytes, Line]]:
        """Return the lines one by one, with their ids."""
        owners, whats, ids = list(self.owners), list(self.whats), self.ids.tobytes()
        columns = (self.owner_of.tolist(), self.what_of.tolist(), *self.figures.tolist())
        for n, (owner, of, amount, start, end, opened, closed, price, points, listed, billed) in enumerate(
            zip(*columns, strict=True)
        ):
            department, project, system, resource = owners[owner]
            kind, meter, state, book, reference, reason, billing = whats[of]
            yield (
                ids[n * ID_BYTES : (n + 1) * ID_BYTES],
                Line(kind, department, project, system, resource, meter, state, amount, start, end, opened, closed, book, price,
                     points, listed, billed, reference, reason, billing),
            )  # fmt: skip

    def sums_of_owners(self) -> list[int]:
        """Return what the lines of each owner come to, exactly."""
        return exact_sums.by_group(self.figures[BILLED], self.owner_of, len(list(self.owners)))

    def in_order(self) -> "Iterator[tuple[str, LineColumns]]":
        """Return the lines of each department, by id."""
        owners = list(self.owners)
        departments = sorted({owner.department_id for owner in owners})
        rank = {department: n for n, department in enumerate(departments)}
        rank_of = np.array([rank[owner.department_id] for owner in owners], dtype=np.int64)[self.owner_of]
        high, low = np.ascontiguousarray(self.ids).view(">u8").astype(np.uint64).T
        order = np.lexsort((low, high, rank_of))
        bounds = np.searchsorted(rank_of[order], np.arange(len(departments) + 1)).tolist()
        for n, department in enumerate(departments):
            if bounds[n] < bounds[n + 1]:
                yield department, self.part(order[bounds[n] : bounds[n + 1]])

    def compact(self) -> "LineColumns":
        """Return the same lines with only the owners and the rest they use, in their own order."""
        owners, owner_of = _used(list(self.owners), self.owner_of)
        whats, what_of = _used(list(self.whats), self.what_of)
        return LineColumns(ids=self.ids, figures=self.figures, owner_of=owner_of, what_of=what_of, owners=owners, whats=whats)

    def to_bytes(self) -> bytes:
        """Return the bytes that are kept, without ids and department, which are kept beside them; the same for the same lines."""
        packed = [_packed(column) for column in (*self.figures, self.owner_of, self.what_of)]
        head = {
            "count": len(self),
            "owners": [owner[1:] for owner in self.owners],
            "whats": list(self.whats),
            "columns": [(least, width) for least, width, _ in packed],
        }
        told = zlib.compress(json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode(), 1)
        return b"".join((_MAGIC, _LENGTH.pack(len(told)), told, *(data for _, _, data in packed)))


def from_bytes(department_id: str, ids: bytes, body: bytes) -> LineColumns:
    """Return the lines that were kept.

    Raises:
        UnreadableLinesError: these are no such bytes.
    """
    try:
        return _read(department_id, ids, body)
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, struct.error, zlib.error) as error:
        raise UnreadableLinesError(f"lines of {department_id} cannot be read: {error}") from error


def _read(department_id: str, ids: bytes, body: bytes) -> LineColumns:
    begin = len(_MAGIC) + _LENGTH.size
    if body[: len(_MAGIC)] != _MAGIC:
        raise ValueError("it does not begin as a block of lines")
    (length,) = _LENGTH.unpack(body[len(_MAGIC) : begin])
    head = json.loads(zlib.decompress(body[begin : begin + length]))
    count, at = head["count"], begin + length
    columns = []
    for least, width in head["columns"]:
        columns.append(_unpacked(body[at : at + count * width], least, width, count))
        at += count * width
    owners = [OwnerKey(department_id, *owner) for owner in head["owners"]]
    whats = [WhatKey(*of) for of in head["whats"]]
    *figures, owner_of, what_of = columns
    sound = at == len(body) and len(figures) == 9 and len(ids) == count * ID_BYTES
    for numbers, table in ((owner_of, owners), (what_of, whats)):
        sound = sound and (not count or (numbers.min() >= 0 and numbers.max() < len(table)))
    if not sound:
        raise ValueError("its parts do not fit together")
    return LineColumns(
        ids=np.frombuffer(ids, dtype=np.uint8).reshape(-1, ID_BYTES), figures=np.stack(figures), owner_of=owner_of,
        what_of=what_of, owners=owners, whats=whats,
    )  # fmt: skip


def sums_by(blocks: Iterable[LineColumns], part: Literal["system_id", "resource_id"]) -> dict[str, int]:
    """Return what lines come to by one part of their owners."""
    found: dict[str, int] = {}
    for block in blocks:
        for owner, micro in zip(block.owners, block.sums_of_owners(), strict=True):
            key: str = getattr(owner, part)
            found[key] = found.get(key, 0) + micro
    return found


def joined(parts: Sequence[LineColumns], legend: Legend) -> LineColumns:
    """Return parts that share a legend as one."""
    return LineColumns(
        ids=np.concatenate([np.empty((0, ID_BYTES), dtype=np.uint8), *(p.ids for p in parts)]),
        figures=np.concatenate([np.empty((9, 0), dtype=np.int64), *(p.figures for p in parts)], axis=1),
        owner_of=np.concatenate([np.empty(0, dtype=np.int64), *(p.owner_of for p in parts)]),
        what_of=np.concatenate([np.empty(0, dtype=np.int64), *(p.what_of for p in parts)]),
        owners=legend.owners,
        whats=legend.whats,
    )


def merged(blocks: Sequence[LineColumns]) -> LineColumns:
    """Return blocks that share nothing as one, in their order."""
    if len(blocks) == 1:
        return blocks[0]
    owners = [list(block.owners) for block in blocks]
    whats = [list(block.whats) for block in blocks]
    return LineColumns(
        ids=np.concatenate([block.ids for block in blocks]),
        figures=np.concatenate([block.figures for block in blocks], axis=1),
        owner_of=_shifted([block.owner_of for block in blocks], owners),
        what_of=_shifted([block.what_of for block in blocks], whats),
        owners=list(chain.from_iterable(owners)),
        whats=list(chain.from_iterable(whats)),
    )


def _shifted(numbers: Sequence[Ints], tables: Sequence[Sequence[Any]]) -> Ints:
    begins = accumulate((len(table) for table in tables), initial=0)
    return np.concatenate([own + begin for own, begin in zip(numbers, begins, strict=False)])


def _what(line: Line) -> WhatKey:
    return WhatKey(line.kind, line.meter, line.state, line.book_id, line.reference, line.reason, line.billing)


def _used(table: Sequence[Key], numbers: Ints) -> tuple[list[Key], Ints]:
    """Return the keys that are used, in their own order, and their new numbers."""
    used, places = np.unique(numbers, return_inverse=True)
    kept = [table[n] for n in used.tolist()]
    order = sorted(range(len(kept)), key=kept.__getitem__)
    renumbered = np.empty(len(kept), dtype=np.int64)
    renumbered[order] = np.arange(len(kept))
    return [kept[n] for n in order], renumbered[places]


def _packed(column: Ints) -> tuple[int, int, bytes]:
    """Return the least value, the bytes each value takes, and the bytes."""
    if not len(column):
        return 0, 0, b""
    least = int(column.min())
    # Differences of 64-bit integers fit into 64 bits without sign, whatever the two are.
    more = column.astype(np.uint64) - np.uint64(least % (1 << 64))
    most = int(more.max())
    width = next(w for w in _WIDTHS if most < 1 << (8 * w))
    return least, width, more.astype(f"<u{width}").tobytes() if width else b""


def _unpacked(data: bytes, least: int, width: int, count: int) -> Ints:
    if width not in _WIDTHS:
        raise ValueError("a column is of no width that is known")
    more: NDArray[Any] = np.frombuffer(data, dtype=f"<u{width}").astype(np.uint64) if width else np.zeros(count, dtype=np.uint64)
    if len(more) != count:
        raise ValueError("a column is too short")
    return (more + np.uint64(least % (1 << 64))).view(np.int64)
