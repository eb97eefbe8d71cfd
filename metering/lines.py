"""Rated lines: what one stretch of usage, service or correction costs, with all it was computed from. Pure.

A line's id is the beginning of the SHA-256 of its content: rating again gives the same ids, and a line that was altered
no longer has its id.
"""

import hashlib
import struct
from dataclasses import dataclass
from typing import NamedTuple

from inventory.domain.organisation import Billing

CHARGED, SHOWN = Billing.CHARGEBACK.value, Billing.SHOWBACK.value
#: Bytes of the hash that are the id.
ID_BYTES = 16
#: The figures of a line in its id: amount, start, end, opened by, closed by, price, basis points, list price, price paid.
FIGURES = struct.Struct(">9q")


class Kind:
    """What a line is of."""

    USAGE = "usage"
    COMMITMENT_USED = "commitment_used"
    COMMITMENT_UNUSED = "commitment_unused"
    ENTRY = "entry"
    #: Units that were passed: no time is in it.
    COUNTED = "counted"
    #: By hand, of a line of a closed period.
    ADJUSTMENT = "adjustment"
    #: By the platform, because word of a change came after its period was closed.
    CORRECTION = "correction"


class Line(NamedTuple):
    """A rated line. A plain tuple, because a month of a large site has more than a million."""

    kind: str
    department_id: str
    project_id: str
    system_id: str
    #: Of a resource, an entry, or the name of a commitment.
    resource_id: str
    meter: str
    state: str
    #: In the base unit of the meter; of what a commitment left unused, in that unit × seconds.
    amount: int
    start_s: int
    end_s: int
    #: Revisions of the journal rows the interval lies between; 0: none within the period.
    opened_by: int
    closed_by: int
    book_id: str
    #: 0 where more than one step of a price holds: they are in the book.
    micro_yuan_per_unit: int
    basis_points: int
    list_micro_yuan: int
    #: What it costs, whether it is charged or only shown.
    micro_yuan: int
    #: Id (hex) of the line that is corrected.
    reference: str = ""
    reason: str = ""
    #: ``chargeback`` | ``showback``: the latter costs what it costs, and nobody pays it. Corrections keep that of what they
    #: correct.
    billing: str = CHARGED

    def id_in(self, period_id: str) -> bytes:
        """Return the id of this line in a period."""
        owner = owner_digest(period_id, self.department_id, self.project_id, self.system_id, self.resource_id)
        figures = FIGURES.pack(*self[7:12], *self[13:17])
        text = what(self.kind, self.meter, self.state, self.book_id, self.reference, self.reason, self.billing)
        return hashlib.sha256(owner + figures + text).digest()[:ID_BYTES]


def owner_digest(period_id: str, department_id: str, project_id: str, system_id: str, resource_id: str) -> bytes:
    """Return the hash of whose a line is: made once for the many lines of one resource."""
    return hashlib.sha256("\n".join((period_id, department_id, project_id, system_id, resource_id)).encode()).digest()


def what(kind: str, meter: str, state: str, book_id: str, reference: str, reason: str, billing: str) -> bytes:
    """Return what a line is of, as it stands in its id; only the reason may hold a line break, and is last."""
    return "\n".join((kind, meter, state, book_id, reference, billing, reason)).encode()


def charged(micro_yuan: int, billing: str) -> int:
    """Return what is charged of what something costs: nothing where it is only shown."""
    return micro_yuan if billing == CHARGED else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Amounts rounded to fen so that they add up."""

    total_fen: int
    parts_fen: tuple[int, ...]


MICRO_PER_FEN = 10_000


def in_fen(parts_micro_yuan: list[int]) -> Shares:
    """Return parts and total in fen: the total is rounded half up, the parts by largest remainder so that they add up to it.

    Source: Hamilton's method of largest remainders.
    """
    total_micro = sum(parts_micro_yuan)
    total = (2 * total_micro + MICRO_PER_FEN) // (2 * MICRO_PER_FEN)
    floors = [part // MICRO_PER_FEN for part in parts_micro_yuan]
    left = total - sum(floors)
    order = sorted(range(len(floors)), key=lambda n: (-(parts_micro_yuan[n] % MICRO_PER_FEN), n))
    for n in order[:left]:
        floors[n] += 1
    return Shares(total_fen=total, parts_fen=tuple(floors))
