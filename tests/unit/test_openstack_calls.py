"""Calls to a region: made again by kind, in the time the region asks for, and never twice where the first may have had effect."""

import ssl
from typing import Any

import pytest
import requests
from keystoneauth1 import exceptions as auth_errors
from openstack import exceptions as sdk_errors

from drivers.faults import OutcomeUnknown, Permanent, Transient
from drivers.openstack.calls import Calls


class Answer:
    """An answer of a service as the SDK keeps it."""

    def __init__(self, status: int, headers: dict[str, str] | None = None, body: Any = None) -> None:
        self.status_code = status
        self.headers = headers or {}
        self.text = ""
        self._body = body

    def json(self) -> Any:
        """Return the body, or say that it is none."""
        if self._body is None:
            raise ValueError
        return self._body


class Service:
    """Answers in the given order: an exception is raised, anything else returned."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.call_count = 0

    def __call__(self) -> Any:
        self.call_count += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def status(number: int, **headers: str) -> sdk_errors.HttpException:
    answer: Any = Answer(number, {k.replace("_", "-"): v for k, v in headers.items()})
    return sdk_errors.HttpException(message="said no", response=answer, http_status=number)


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def calls(pauses: list[float]) -> Calls:
    return Calls("openstack://x", attempts=3, wait_s=5, pause=pauses.append)


def test_a_question_is_asked_again_after_a_passing_fault(calls: Calls, pauses: list[float]) -> None:
    service = Service(status(503), sdk_errors.SDKException("connection refused"), "here")
    assert calls.read("v", service) == "here"
    assert len(pauses) == 2
    assert pauses[0] < pauses[1]


def test_questions_end_after_a_bound(calls: Calls) -> None:
    service = Service(*[status(500)] * 9)
    with pytest.raises(Transient):
        calls.read("v", service)
    assert service.call_count == 3


def test_a_change_is_never_made_again_when_its_answer_was_lost(calls: Calls) -> None:
    for lost in (status(500), status(502), sdk_errors.SDKException("hung up")):
        service = Service(lost, "made twice")
        with pytest.raises(OutcomeUnknown):
            calls.change("v", service)
        assert service.call_count == 1


def test_a_change_refused_for_its_rate_is_made_again_when_the_region_says(calls: Calls, pauses: list[float]) -> None:
    assert calls.change("v", Service(status(429, Retry_After="3"), "made")) == "made"
    assert pauses == [3.0]


def test_a_question_refused_for_its_rate_is_asked_again_when_the_region_says(calls: Calls, pauses: list[float]) -> None:
    # A proxy in front of a region answers so too.
    assert calls.read("v", Service(status(503, Retry_After="7"), status(503), "here")) == "here"
    assert pauses[0] == 7.0
    assert pauses[1] < 7.0, "a service that asked for nothing was waited for as if it had"
    with pytest.raises(Transient) as later:
        calls.read("v", Service(status(503, Retry_After="60"), "here"))
    assert later.value.delay_s == 60


def test_an_answer_that_is_none_is_a_lost_one(calls: Calls) -> None:
    page = requests.JSONDecodeError("Expecting value", "<html>", 0)
    assert calls.read("v", Service(page, "here")) == "here"
    with pytest.raises(OutcomeUnknown):
        calls.change("v", Service(page, "made twice"))
    with pytest.raises(ValueError, match="ours"):
        calls.read("v", Service(ValueError("a bug of ours")))


def test_a_region_that_wants_a_long_rest_gets_it_from_the_reconciler(calls: Calls, pauses: list[float]) -> None:
    with pytest.raises(Transient) as later:
        calls.change("v", Service(status(429, Retry_After="60"), "made"))
    assert later.value.delay_s == 60
    assert pauses == []


def test_what_is_refused_for_good_is_not_asked_again(calls: Calls) -> None:
    service = Service(status(400), "never")
    with pytest.raises(Permanent):
        calls.read("v", service)
    assert service.call_count == 1


def test_only_the_answer_that_there_is_none_means_none(calls: Calls) -> None:
    gone: Any = sdk_errors.NotFoundException(message="none", response=None, http_status=404)
    assert calls.find("v", Service(gone)) is None
    with pytest.raises(Transient):
        calls.find("v", Service(*[status(503)] * 3))


def test_waiting_ends_with_the_fault_of_its_bound() -> None:
    def late_fault() -> Transient:
        return Transient("openstack.not_ready", resource_id="r", verb="v")

    calls = Calls("openstack://x", attempts=1, wait_s=0, pause=lambda _s: None)
    with pytest.raises(Transient) as late:
        calls.until(lambda: None, late_fault)
    assert late.value.problem.code == "openstack.not_ready"
    looks = Service(None, None, "there")
    assert Calls("c", attempts=1, wait_s=100, pause=lambda _s: None).until(looks, late_fault) == "there"


def untrusted() -> auth_errors.SSLError:
    """Return what the SDK's session raises for a certificate it does not trust: what it met is only its context."""
    error = auth_errors.SSLError("SSL exception connecting")
    error.__context__ = ssl.SSLCertVerificationError(1, "unable to get local issuer certificate")
    return error


def test_a_certificate_that_is_not_trusted_is_told_from_no_answer_and_nothing_was_sent(calls: Calls) -> None:
    for way in (calls.read, calls.change):
        service = Service(untrusted(), "sent all the same")
        with pytest.raises(Transient) as refused:
            way("v", service)
        assert refused.value.problem.code == "driver.certificate_refused"
        assert service.call_count == 1
    with pytest.raises(OutcomeUnknown):
        calls.change("v", Service(auth_errors.SSLError("the other side hung up while shaking hands")))
