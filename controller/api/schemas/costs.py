"""The cost side."""

from controller.api.schemas.base import Out, Page


class CostPool(Out):
    """Something that costs money for a time."""

    name: str
    kind: str
    #: Yuan with six decimals.
    yuan: str
    from_s: int
    to_s: int
    meter: str
    hosts: list[str]
    #: What becomes of what nobody used: ``show``, ``proportional`` or ``even``.
    policy: str


class CostPoolPage(Page):
    """Cost pools."""

    items: list[CostPool]


class CostShare(Out):
    """Where the cost of one pool went in a month; the parts add up to it."""

    pool: str
    kind: str
    meter: str
    yuan: str
    #: By code.
    departments: dict[str, str]
    #: ``building``, ``foreign``, ``reserve``, ``reserved``, ``transfer``, ``idle``.
    platform: dict[str, str]
    unallocated_yuan: str


class CostReport(Out):
    """Where the cost of a month went, beside what departments are charged for it."""

    period_id: str
    start_s: int
    until_s: int
    yuan: str
    #: Statements of the month; zero before its review.
    charged_yuan: str
    #: Below zero: not recovered.
    surplus_yuan: str
    #: Stretches in which a host held more than it had.
    overfull_count: int
    pools: list[CostShare]


class Place(Out):
    """Where one host's capacity of one meter went, in amount × seconds (decimal integers)."""

    host_id: str
    host: str
    meter: str
    capacity: str
    #: By code.
    departments: dict[str, str]
    building: str
    foreign: str
    reserve: str
    reserved: str
    #: Held a second time while machines were on their way here.
    transfer: str
    idle: str


class Overfull(Out):
    """A stretch in which a host held more than it had."""

    host_id: str
    meter: str
    start_s: int
    end_s: int
    missing: int


class PlaceReport(Out):
    """Where the capacity of every host went in a month."""

    period_id: str
    start_s: int
    until_s: int
    places: list[Place]
    overfull: list[Overfull]
    #: Amount × seconds at times nobody recorded a capacity for, by meter.
    unplaced: dict[str, str]
