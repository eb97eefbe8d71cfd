"""Every call to a region goes through here: translated, read again by kind, its rate limits kept, counted.

A call that only reads is made again after a passing fault. A call that changes something is made again only when the region
said that it did nothing (too many calls); after a lost answer the caller must look first.
"""

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import requests
import tenacity
from keystoneauth1 import exceptions as auth_errors
from openstack import exceptions as sdk_errors

from drivers.faults import DriverFault, Permanent, Transient
from drivers.openstack.translate_errors import delay_of, fault_of

T = TypeVar("T")
#: Longest pause before a call is made again; what asks for more is handed to the reconciler to wait for.
LONGEST_PAUSE_S = 10.0
FIRST_LOOK_S = 0.2
LONGEST_LOOK_S = 2.0
#: A connection that hangs and got no answer for so long is not used further; below the bound of a look.
SILENT_S = 10.0
#: A token, or whoever asked for one, is no longer believed: also one of a project that is gone.
DENIED = 401
#: Until somebody has mended a certificate nothing comes of asking again.
UNTRUSTED_DELAY_S = 60.0


class Calls:
    """The way to one region's APIs."""

    def __init__(self, connection: str, *, attempts: int, wait_s: float, pause: Callable[[float], None] = time.sleep) -> None:
        self.connection = connection
        self._attempts = attempts
        self._wait_s = wait_s
        self._pause = pause
        self._answered_at_s = time.monotonic()
        #: How often a credential was refused: what is remembered of projects may be out of date then.
        self.denial_count = 0

    def is_silent(self) -> bool:
        """Tell whether no call was answered lately, refusals not counted."""
        return time.monotonic() - self._answered_at_s > SILENT_S

    def read(self, verb: str, call: Callable[[], T]) -> T:
        """Make a call that changes nothing.

        Raises:
            DriverFault: see ``translate_errors``.
        """
        answer: T = self._retrying(_is_passing)(self._translated, verb, call, changes=False)
        return answer

    def once(self, verb: str, call: Callable[[], T]) -> T:
        """Make a call that changes nothing, and not again whatever comes: for what is asked again later anyway.

        Raises:
            DriverFault: see ``translate_errors``.
        """
        return self._translated(verb, call, changes=False)

    def find(self, verb: str, call: Callable[[], T]) -> T | None:
        """Make a call that reads one thing; None only when the region answered that there is none."""

        def unless_missing() -> T | None:
            try:
                return call()
            except sdk_errors.NotFoundException:
                return None

        return self.read(verb, unless_missing)

    def read_if_allowed(self, verb: str, call: Callable[[], T]) -> T | None:
        """Make a call that changes nothing; None where this credential may not ask."""
        try:
            return self.read(verb, call)
        except Permanent as fault:
            if fault.problem.code != "openstack.forbidden":
                raise
            return None

    def change(self, verb: str, call: Callable[[], T]) -> T:
        """Make a call that changes something.

        Raises:
            DriverFault: ``OutcomeUnknown`` when the answer was lost.
        """
        answer: T = self._retrying(_is_refused_rate)(self._translated, verb, call, changes=True)
        return answer

    def until(self, look: Callable[[], T | None], late: Callable[[], DriverFault]) -> T:
        """Look, with growing pauses, until there is something to see.

        Raises:
            DriverFault: ``late()`` when the bound has passed.
        """
        looking = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda seen: seen is None),
            stop=tenacity.stop_after_delay(self._wait_s),
            wait=tenacity.wait_exponential(multiplier=FIRST_LOOK_S, exp_base=1.5, max=LONGEST_LOOK_S),
            retry_error_callback=lambda _state: None,
            sleep=self._pause,
        )
        seen = looking(look)
        if seen is None:
            raise late()
        return seen

    def _retrying(self, predicate: Callable[[BaseException], bool]) -> tenacity.Retrying:
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(predicate),
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=_asked_pause,
            sleep=self._pause,
            reraise=True,
        )

    def _translated(self, verb: str, call: Callable[[], T], *, changes: bool) -> T:
        with self._translating(verb, changes=changes):
            answer = call()
        self._answered_at_s = time.monotonic()
        return answer

    @contextmanager
    def _translating(self, verb: str, *, changes: bool) -> Iterator[None]:
        try:
            yield
        except (sdk_errors.SDKException, auth_errors.ClientException, requests.JSONDecodeError) as error:
            if _is_untrusted(error):
                # Nothing was sent: there is no outcome to be unsure of.
                raise Transient(
                    "driver.certificate_refused", delay_s=UNTRUSTED_DELAY_S, internal=str(error), connection=self.connection
                ) from error
            status = status_of(error)
            self.denial_count += status == DENIED
            raise fault_of(
                status,
                connection=self.connection,
                verb=verb,
                changes=changes,
                internal=str(error),
                body=_body_of(error),
                headers=_headers_of(error),
            ) from error


def status_of(error: BaseException) -> int:
    """Return the HTTP status of an error of the SDK or of its session; 0 where nothing was answered."""
    for name in ("status_code", "http_status"):
        status = getattr(error, name, None)
        if isinstance(status, int):
            return status
    return 0


def _headers_of(error: BaseException | None) -> Mapping[str, str] | None:
    return getattr(getattr(error, "response", None), "headers", None)


def _body_of(error: BaseException) -> dict[str, Any] | None:
    response = getattr(error, "response", None)
    try:
        body = None if response is None else response.json()
    except ValueError:  # a proxy's page, not the service's answer
        return None
    return body if isinstance(body, dict) else None


def _is_untrusted(error: BaseException | None) -> bool:
    """Tell whether a call was not made because we do not trust the other side's certificate."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _is_passing(error: BaseException) -> bool:
    return isinstance(error, Transient) and error.delay_s <= LONGEST_PAUSE_S


def _is_refused_rate(error: BaseException) -> bool:
    return _is_passing(error) and isinstance(error, Transient) and error.problem.code == "openstack.too_many_calls"


def _asked_pause(state: tenacity.RetryCallState) -> float:
    """Return the pause a service asked for; growing ones where it asked for none."""
    error = state.outcome.exception() if state.outcome else None
    growing_s = FIRST_LOOK_S * float(2**state.attempt_number)
    if isinstance(error, Transient) and (_is_refused_rate(error) or delay_of(_headers_of(error.__cause__))):
        return error.delay_s
    return growing_s
