"""What can go wrong at a back end, as three kinds the reconciler knows how to answer."""

from typing import Any

from inventory.domain.errors import Problem

#: Codes of faults that say the host, not what was asked for there, is in trouble.
HOST_TROUBLE = frozenset({"driver.unreachable", "driver.timeout", "driver.certificate_refused"})


class DriverFault(Exception):
    """A call to a back end did not do what was asked. ``problem`` is for people, ``internal`` for the log."""

    def __init__(self, code: str, /, *, internal: str = "", **params: Any) -> None:
        self.problem = Problem(code, params)
        self.internal = internal
        super().__init__(code, params, internal)


class Transient(DriverFault):
    """Nothing happened; the same call may succeed after ``delay_s``."""

    def __init__(self, code: str, /, *, delay_s: float = 2.0, internal: str = "", **params: Any) -> None:
        super().__init__(code, internal=internal, **params)
        self.delay_s = delay_s


class Permanent(DriverFault):
    """Nothing happened and the same call will fail again (hostile image, full storage, refused configuration)."""


class OutcomeUnknown(DriverFault):
    """The answer was lost: it may or may not have happened. Look first, then act."""


class StaleFence(DriverFault):
    """A newer hold has already acted on this resource: the caller must drop its work at once."""

    def __init__(self, *, resource_id: str, given: int, found: int) -> None:
        super().__init__("hold.stale_fence", resource_id=resource_id, given=given, found=found)
