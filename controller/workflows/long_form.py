"""The long form of a stored explanation: its decision made again on the state it was made on, compared with what is stored.

The state comes from the changes of capacity that were noted since (``inventory.store.past``), not from what is there now. What
is stored is the proof: where both do not say the same, the answer says in what they differ.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from controller.identity.caller import Caller
from controller.scheduling.asked import Asked
from controller.scheduling.explain import explanation_from_json
from controller.scheduling.fleet import Fleet
from controller.scheduling.long_form import LongForm, Verdict, retell
from controller.scheduling.snapshot import Snapshot, SnapshotBuilder
from controller.tickets import store
from controller.workflows.place import entries_of, shown
from controller.workflows.platform import Platform
from inventory.domain.errors import NotFound
from inventory.domain.placement import Explanation
from inventory.store import past
from inventory.store.changes import Mark
from inventory.store.hosts import InventoryRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """Something that is stored otherwise than it comes out now."""

    #: ``decision`` | ``hosts`` | ``filter`` | ``winner`` | ``score`` | ``policy``.
    what: str
    stored: str
    derived: str
    #: The filter.
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retold:
    """A stored explanation with every host."""

    #: As it is stored, with its ids.
    stored: Mapping[str, Any]
    verdicts: tuple[Verdict, ...]
    #: Empty where the long form says what the short one said.
    mismatches: tuple[Mismatch, ...] = field(default=())


class LongForms:
    """Tells long forms; keeps the last one, which is asked for page after page."""

    def __init__(self) -> None:
        self._last: tuple[str, Retold] | None = None

    def get(self, platform: Platform, explanation_id: str, caller: Caller) -> Retold:
        """Return one explanation in its long form.

        Raises:
            NotFound: ``explanation.not_found``, or ``explanation.state_forgotten``: what was then is kept no more.
        """
        last = self._last
        if last is not None and last[0] == explanation_id:
            return last[1]
        found = retold(platform, explanation_id, caller)
        self._last = explanation_id, found
        return found


def retold(platform: Platform, explanation_id: str, caller: Caller) -> Retold:
    """Decide again what an explanation is of, on the state of then; as ``LongForms.get``."""
    with platform.db.read(is_steady=True) as connection:
        stored = store.explanation(connection, caller.scope, explanation_id)
        asked = Asked.from_json(store.asked_of(connection, explanation_id))
        explanation = explanation_from_json(stored["body"])
        snapshot = _snapshot(connection, stored, explanation, asked)
    if snapshot is None:
        raise NotFound("explanation.state_forgotten", explanation=explanation_id)
    found = retell(asked.request, Fleet(snapshot), platform.policy, explanation.member)
    verdicts = found.verdicts if found else ()
    return Retold(stored=stored, verdicts=verdicts, mismatches=tuple(_mismatches(explanation, found)))


def _snapshot(connection: Connection, stored: Mapping[str, Any], explanation: Explanation, asked: Asked) -> Snapshot | None:
    mark = Mark.of_text(explanation.state_revision)
    estate = past.as_of(connection, mark, order=stored["ticket_id"])
    if estate is None:
        return None
    drawn = {(provider, dimension): amount for provider, dimension, amount in asked.drawn}
    rows = [_without_draw(row, drawn) for row in shown(estate.rows, asked.without, asked.only)]
    builder = SnapshotBuilder()
    for entry in entries_of(replace(estate, rows=rows)):
        builder.add_host(entry)
    return builder.build(revision=explanation.state_revision)


def _without_draw(row: InventoryRow, drawn: Mapping[tuple[str, str], int]) -> InventoryRow:
    amount = drawn.get((row.provider_id, row.dimension), 0)
    return replace(row, held_reservations=row.held_reservations - amount) if amount else row


def _mismatches(stored: Explanation, found: LongForm | None) -> Iterator[Mismatch]:
    derived = found.explanation if found else None
    if derived is None or derived.is_placed != stored.is_placed:
        told = "" if derived is None else _kind(derived)
        yield Mismatch(what="decision", stored=_kind(stored), derived=told)
    if derived is None:
        return
    if derived.hosts_total != stored.hosts_total:
        yield Mismatch(what="hosts", stored=str(stored.hosts_total), derived=str(derived.hosts_total))
    now = dict(derived.left_after)
    for name, left in stored.left_after:
        if now.get(name) != left:
            yield Mismatch(what="filter", name=name, stored=str(left), derived=str(now.get(name, "")))
    if derived.policy != stored.policy:
        yield Mismatch(what="policy", stored=stored.policy, derived=derived.policy)
    yield from _winners(stored, derived)


def _winners(stored: Explanation, derived: Explanation) -> Iterator[Mismatch]:
    if stored.winner is None or derived.winner is None:
        return
    if stored.winner.host != derived.winner.host:
        yield Mismatch(what="winner", stored=stored.winner.host, derived=derived.winner.host)
    elif stored.winner.score != derived.winner.score:
        yield Mismatch(what="score", stored=str(stored.winner.score), derived=str(derived.winner.score))


def _kind(explanation: Explanation) -> str:
    return "placement" if explanation.is_placed else "refusal"
