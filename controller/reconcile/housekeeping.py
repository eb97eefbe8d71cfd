"""What the loop does now and then beside its resources: ends reservations whose time is over, gives those another place that
lost theirs, chooses stand-by hosts again.
"""

from collections.abc import Callable

import structlog

from controller.workflows import reservations
from controller.workflows.platform import Platform
from controller.workflows.slot_moves import SlotMender
from inventory.store import standby

log = structlog.get_logger(__name__)


class Housekeeping:
    """Called with every tick; looks no more often than its period."""

    def __init__(self, platform: Platform, *, period_s: float, monotonic: Callable[[], float]) -> None:
        self._platform = platform
        self._period_s = period_s
        self._monotonic = monotonic
        self._done_at = float("-inf")
        self._slots = SlotMender(platform)

    def run(self) -> None:
        """Do what is due.

        Raises:
            Unavailable: the database; it is due again with the next period.
        """
        if self._monotonic() - self._done_at < self._period_s:
            return
        self._done_at = self._monotonic()
        ended = reservations.expire(self._platform)
        if ended:
            log.info("reservations ended", count=ended)
        for moves in self._slots.mend():
            counts = {"moved": len(moves.moved), "left": moves.left_count}
            if moves.left_count:
                log.warning("what is reserved finds no other host", reservation=moves.reservation.name, **counts)
            else:
                log.info("what is reserved is held on other hosts", reservation=moves.reservation.name, **counts)
        self._mend_reserves()

    def _mend_reserves(self) -> None:
        """Choose again where a stand-by host still has machines: another one may be empty by now."""
        with self._platform.db.read() as connection:
            short = [state.pool.id for state in standby.states(connection) if state.uncovered or not state.is_kept]
        if short:
            self._platform.db.run(lambda connection: standby.renew(connection, short))
