"""Planners in processes of their own, on one PostgreSQL: each with its own picture of the hosts, all after the same room."""

import multiprocessing
import random
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from zoneinfo import ZoneInfo

from controller.identity.caller import Caller
from controller.scheduling.policy import DEFAULT_POLICY
from controller.tickets.approval import ApprovalPolicy
from controller.tickets.model import Ticket, TicketState
from controller.workflows import tickets
from controller.workflows.platform import Platform
from inventory.domain.errors import AllotError, Unavailable
from inventory.domain.ids import random_ids
from tests.support.database import open_for_test
from tests.support.samples import Clock, ticket_text

#: Until all are imported and ready, and until all are done.
_READY_S, _DONE_S = 120, 300
#: Times a planner comes back.
_TRIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What one planner got."""

    #: Machines of each accepted ticket.
    accepted: tuple[int, ...]
    #: Machines of each refused ticket, and the code.
    refused: tuple[tuple[int, str], ...]
    #: Plans that the database rejected, by host.
    rejected: dict[str, int]


def plan_at_once(url: str, folder: Path, caller: Caller, counts: Sequence[Sequence[int]], *, size: str = "tiny") -> list[Planned]:
    """Let one planner for each list hand in tickets of these many machines, all beginning at one moment."""
    context = multiprocessing.get_context("spawn")
    ready, answers = context.Barrier(len(counts)), context.Queue()
    running = [
        context.Process(target=_plan, args=(url, folder, caller, number, mine, size, ready, answers), daemon=True)
        for number, mine in enumerate(counts)
    ]
    for process in running:
        process.start()
    try:
        return [answers.get(timeout=_DONE_S) for _ in running]
    finally:
        for process in running:
            process.join(timeout=10)
            if process.is_alive():
                process.kill()


def _plan(
    url: str,
    folder: Path,
    caller: Caller,
    number: int,
    counts: Sequence[int],
    size: str,
    ready: Barrier,
    answers: "multiprocessing.Queue[Planned]",
) -> None:
    accepted, refused = list[int](), list[tuple[int, str]]()
    with open_for_test(url) as database:
        platform = Platform(
            db=database,
            clock=Clock(),
            new_id=random_ids(),
            zone=ZoneInfo("Asia/Shanghai"),
            policy=DEFAULT_POLICY,
            images_dir=folder,
            approval_policy=ApprovalPolicy(),
        )
        ready.wait(_READY_S)
        for k, count in enumerate(counts):
            try:
                ticket = _submit(platform, ticket_text(f"planner-{number}-{k}", count=count, size=size), caller)
            except AllotError as error:
                refused.append((count, error.code))
                continue
            assert ticket.state is TicketState.ACCEPTED
            accepted.append(count)
        answers.put(Planned(accepted=tuple(accepted), refused=tuple(refused), rejected=dict(platform.placing.rejected_by_host)))


def _submit(platform: Platform, text: bytes, caller: Caller) -> Ticket:
    """Hand a ticket in, again where the platform asks for it: too many others were faster."""
    for _ in range(_TRIES):
        try:
            return tickets.submit(platform, text, caller)
        except Unavailable as busy:
            if busy.code != "ticket.too_busy":
                raise
    return tickets.submit(platform, text, caller)


def some_counts(seed: int, planners: int, tickets_each: int, most: int) -> list[list[int]]:
    """Return how many machines each ticket of each planner asks for."""
    source = random.Random(seed)
    return [[source.randint(1, most) for _ in range(tickets_each)] for _ in range(planners)]
