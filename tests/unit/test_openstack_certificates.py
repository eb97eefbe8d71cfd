"""OpenStack: names of certificates, and what is said of one that load balancers cannot show."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from drivers.faults import DriverFault, Permanent, Transient
from drivers.openstack.calls import Calls
from drivers.openstack.certificates import ended_s_of, key_manager_url, require_certificates
from drivers.openstack.tls import is_name, name_of, read_tls, tls_body
from drivers.powers import TlsRequest
from inventory.domain.errors import CapabilityMissing

UUID = "0ddba11c-5e1f-4e55-8000-0000c0ffee00"
SECRET, CONTAINER, PART = f"secrets/{UUID}", f"containers/{UUID}", f"secrets/{UUID.replace('0', '1')}"
NOW_S = datetime(2026, 11, 27, tzinfo=UTC).timestamp()


def certificate(end: datetime) -> bytes:
    """Return a certificate that ends then, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "portal.example.gov.cn")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(end)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class Barbican:
    """Answers by path; notes what it was asked, and for which kind of answer."""

    def __init__(self, answers: Mapping[str, tuple[int, bytes]]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str]] = []

    def get(self, path: str, *, headers: Mapping[str, str]) -> requests.Response:
        self.asked.append((path, headers["Accept"]))
        answer = requests.Response()
        answer.status_code, answer._content = self.answers.get(path, (404, b"{}"))
        answer.headers["Content-Type"] = headers["Accept"]
        answer.url = f"http://keys{path}"
        answer.request = requests.PreparedRequest()
        return answer


def region_of(barbican: Barbican, *, has_key_manager: bool = True) -> Any:
    """Return as much of a region as certificates need."""
    return SimpleNamespace(
        calls=Calls("openstack://city", attempts=1, wait_s=1, pause=lambda _s: None),
        keys=lambda _department: barbican,
        clock=lambda: NOW_S,
        has_key_manager=has_key_manager,
    )


def container() -> bytes:
    """Return what is written about a container."""
    refs = [("private_key", SECRET), ("certificate", PART)]
    parts = ", ".join(f'{{"name": "{name}", "secret_ref": "https://keys/v1/{ref}"}}' for name, ref in refs)
    return f'{{"type": "certificate", "secret_refs": [{parts}]}}'.encode()


def fault_of(barbican: Barbican, name: str) -> DriverFault:
    """Return what is said of a certificate."""
    with pytest.raises(DriverFault) as caught:
        require_certificates(region_of(barbican), "", [name])
    return caught.value


@pytest.mark.parametrize("way", ["https://keys.example:9311/v1/", "http://10.0.0.1/key-manager/v1/", "http://keys//v1/"])
def test_a_certificate_has_one_name_whichever_way_the_region_is_reached(way: str) -> None:
    for name in (SECRET, CONTAINER):
        assert (name_of(way + name), name_of(f"{way}{name}/"), is_name(name)) == (name, name, True)


@pytest.mark.parametrize(
    "text", ["", UUID, f"/{SECRET}", f"secrets/{UUID}/payload", f"orders/{UUID}", SECRET.upper(), f"{SECRET}\n"]
)
def test_what_is_no_name_is_none(text: str) -> None:
    assert not is_name(text)


def test_tls_is_read_as_it_was_written() -> None:
    tls = TlsRequest(certificate=SECRET, others=(CONTAINER,), versions=("1.2", "1.3"))
    told = tls_body(tls, "https://keys/v1")
    assert told["default_tls_container_ref"] == f"https://keys/v1/{SECRET}"
    assert read_tls(SimpleNamespace(protocol="TERMINATED_HTTPS", **told)) == tls
    assert read_tls(SimpleNamespace(protocol="HTTP", **told)) is None


def test_a_listener_that_lost_its_certificates_is_read_all_the_same() -> None:
    bare = {"default_tls_container_ref": None, "sni_container_refs": None, "tls_versions": None}
    seen = read_tls(SimpleNamespace(protocol="TERMINATED_HTTPS", **bare))
    assert seen == TlsRequest(certificate="", others=(), versions=())


def test_a_secret_with_a_key_is_never_opened() -> None:
    barbican = Barbican({f"/{SECRET}": (200, b'{"status": "ACTIVE"}')})
    require_certificates(region_of(barbican), "", [SECRET])
    assert barbican.asked == [(f"/{SECRET}", "application/json")]


def test_of_a_container_only_the_certificate_is_opened() -> None:
    good = certificate(datetime(2026, 11, 28, tzinfo=UTC))
    barbican = Barbican({f"/{CONTAINER}": (200, container()), f"/{PART}/payload": (200, good)})
    require_certificates(region_of(barbican), "", [CONTAINER])
    assert [path for path, _ in barbican.asked] == [f"/{CONTAINER}", f"/{PART}/payload"]


def test_a_certificate_that_has_ended_is_refused_with_the_day() -> None:
    old = certificate(datetime(2026, 11, 26, 8, tzinfo=UTC))
    fault = fault_of(Barbican({f"/{CONTAINER}": (200, container()), f"/{PART}/payload": (200, old)}), CONTAINER)
    assert isinstance(fault, Permanent)
    assert (fault.problem.code, fault.problem.params) == (
        "driver.balancer_certificate_expired",
        {"reference": CONTAINER, "ended": "2026-11-26"},
    )


def test_one_that_is_shown_already_must_be_there_and_may_have_ended() -> None:
    barbican = Barbican({f"/{CONTAINER}": (200, container())})
    require_certificates(region_of(barbican), "", [CONTAINER], [CONTAINER])
    assert [path for path, _ in barbican.asked] == [f"/{CONTAINER}"]
    with pytest.raises(Permanent):
        require_certificates(region_of(Barbican({})), "", [CONTAINER], [CONTAINER])


@pytest.mark.parametrize("status", [403, 200])
def test_one_that_may_not_be_opened_or_is_of_another_form_is_left_to_octavia(status: int) -> None:
    barbican = Barbican({f"/{CONTAINER}": (200, container()), f"/{PART}/payload": (status, b"\x30\x82 DER")})
    require_certificates(region_of(barbican), "", [CONTAINER])
    assert len(barbican.asked) == 2


def test_what_is_not_there_is_missing_and_what_is_no_name_is_not_asked_for() -> None:
    barbican = Barbican({})
    for name in (SECRET, "../../v3/users"):
        fault = fault_of(barbican, name)
        assert isinstance(fault, Permanent)
        assert (fault.problem.code, fault.problem.params) == ("driver.balancer_certificate_missing", {"reference": name})
    assert [path for path, _ in barbican.asked] == [f"/{SECRET}"]


@pytest.mark.parametrize(
    ("status", "kind", "code"), [(403, Permanent, "openstack.forbidden"), (503, Transient, "driver.unreachable")]
)
def test_a_key_manager_that_does_not_tell_is_believed_nothing(status: int, kind: type[DriverFault], code: str) -> None:
    fault = fault_of(Barbican({f"/{SECRET}": (status, b"{}")}), SECRET)
    assert isinstance(fault, kind)
    assert fault.problem.code == code


def test_a_region_without_a_key_manager_says_so() -> None:
    with pytest.raises(CapabilityMissing) as missing:
        key_manager_url(region_of(Barbican({}), has_key_manager=False), "")
    assert (missing.value.code, missing.value.params) == (
        "openstack.key_manager_missing",
        {"connection": "openstack://city"},
    )


def test_what_is_no_certificate_has_no_end() -> None:
    assert ended_s_of(b"-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n") is None
