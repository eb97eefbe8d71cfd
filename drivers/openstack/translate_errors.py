"""What an API of a region answered, as driver faults: by status and by the machine-readable parts, never by a sentence.

Pure: it takes numbers and bodies, so that it can be tested without a region.
"""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any

from drivers.faults import DriverFault, OutcomeUnknown, Permanent, Transient

#: Waited where a service says nothing, and the longest that is believed.
BUSY_DELAY_S = 2.0
UNREACHABLE_DELAY_S = 5.0
LONGEST_DELAY_S = 120.0


class Answer(Enum):
    """What an answer says about the same call made again."""

    #: No answer, or one that says the service itself is in trouble: the call may have had effect.
    LOST = "lost"
    #: Too many calls: this one had no effect.
    RATE = "rate"
    #: The thing is in another state now.
    BUSY = "busy"
    MISSING = "missing"
    #: This credential may not, or its quota in the region is used up: the region does not always tell which.
    FORBIDDEN = "forbidden"
    QUOTA = "quota"
    DENIED = "denied"
    NEVER = "never"


_ANSWERS = {
    400: Answer.NEVER, 401: Answer.DENIED, 403: Answer.FORBIDDEN, 404: Answer.MISSING, 405: Answer.NEVER, 406: Answer.NEVER,
    408: Answer.LOST, 409: Answer.BUSY, 410: Answer.MISSING, 411: Answer.NEVER, 412: Answer.BUSY, 415: Answer.NEVER,
    422: Answer.NEVER, 423: Answer.BUSY, 425: Answer.RATE, 429: Answer.RATE, 501: Answer.NEVER, 505: Answer.NEVER,
}  # fmt: skip
#: Neutron's word for a quota, in ``NeutronError.type``.
_NETWORK_QUOTA = "OverQuota"


def answer_of(status: int, body: Mapping[str, Any] | None = None) -> Answer:
    """Return what a status (0: there was no answer) and the body with it say."""
    details = body or {}
    if status == 413:
        # Cinder's: ``overLimit`` is its quota, and also an old way to say "too fast", which then names a time to wait.
        return Answer.QUOTA
    neutron = details.get("NeutronError")
    if status == 409 and isinstance(neutron, Mapping) and neutron.get("type") == _NETWORK_QUOTA:
        return Answer.QUOTA
    return _ANSWERS.get(status, Answer.LOST if status == 0 or status >= 500 else Answer.NEVER)


def delay_of(headers: Mapping[str, str] | None) -> float:
    """Return how long a service asks to wait; 0 where it says nothing. A date counts from that of the answer itself."""
    told = headers or {}
    text = told.get("Retry-After", "").strip()
    if text.isdecimal():
        return min(float(text), LONGEST_DELAY_S)
    until_s, at_s = _moment_s(text), _moment_s(told.get("Date", ""))
    return 0.0 if until_s is None or at_s is None else min(max(until_s - at_s, 0.0), LONGEST_DELAY_S)


def _moment_s(date: str) -> float | None:
    """Return a date of HTTP as epoch seconds; None for what is none."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None


def fault_of(
    status: int,
    *,
    connection: str,
    verb: str,
    changes: bool,
    internal: str,
    body: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> DriverFault:
    """Return the fault of a failed call; ``changes`` tells whether it can have changed something."""
    answer, asked_s = answer_of(status, body), delay_of(headers)
    if answer is Answer.LOST and changes:
        return OutcomeUnknown("driver.outcome_unknown", internal=internal, connection=connection, verb=verb)
    if answer is Answer.LOST:
        return Transient("driver.unreachable", delay_s=asked_s or UNREACHABLE_DELAY_S, internal=internal, connection=connection)
    if answer is Answer.RATE or (answer is Answer.QUOTA and asked_s > 0):
        delay_s = asked_s or UNREACHABLE_DELAY_S
        return Transient("openstack.too_many_calls", delay_s=delay_s, internal=internal, connection=connection)
    if answer in (Answer.BUSY, Answer.MISSING):
        return Transient("openstack.call_failed", delay_s=BUSY_DELAY_S, internal=internal, verb=verb, reason=internal)
    return _for_good(answer, connection, verb, internal)


def _for_good(answer: Answer, connection: str, verb: str, internal: str) -> Permanent:
    if answer is Answer.DENIED:
        return Permanent("openstack.access_denied", internal=internal, connection=connection)
    if answer is Answer.QUOTA:
        return Permanent("openstack.quota_exceeded", internal=internal, connection=connection, reason=internal)
    if answer is Answer.FORBIDDEN:
        return Permanent("openstack.forbidden", internal=internal, connection=connection, verb=verb, reason=internal)
    return Permanent("openstack.refused", internal=internal, verb=verb, reason=internal)
