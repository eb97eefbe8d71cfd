"""An image fetched from a mirror and a limit set, each by the command line, and felt by the next ticket."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.empty_image import qcow2
from tests.support.mirror import mirror
from tests.support.service import ServiceUnderTest, service, ticket

SHA256 = hashlib.sha256(qcow2()).hexdigest()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceUnderTest]:
    """A service that may fetch from this machine."""
    settings = '[images]\nallowed_hosts = ["127.0.0.1"]\nallowed_networks = ["127.0.0.0/8"]'
    with service(tmp_path_factory.mktemp("service"), settings=settings) as found:
        yield found


@pytest.fixture
def url() -> Iterator[str]:
    """The address of the image at a mirror."""
    with mirror({"/image.qcow2": qcow2()}) as port:
        yield f"http://127.0.0.1:{port}/image.qcow2"


def _images(running: ServiceUnderTest) -> dict[str, str]:
    return {i["name"]: i["sha256"] for i in running.ok("get", "images", "-o", "json").json}


def test_an_image_is_imported_from_a_url_and_machines_boot_from_it(running: ServiceUnderTest, url: str) -> None:
    told = running.ok("image", "import", url, "--name", "fetched", "--sha256", SHA256)
    assert SHA256 in told.out
    assert _images(running)["fetched"] == SHA256
    text = ticket("fetched").replace("image: demo-linux", "image: fetched")
    assert "is done" in running.ok("apply", running.write("fetched.yaml", text), "--yes", "--wait").out


def test_a_withdrawn_image_is_for_no_new_machine_until_it_is_taken_in_again(running: ServiceUnderTest) -> None:
    (running.directory / "old.qcow2").write_bytes(qcow2() + bytes(131_072))
    running.ok("image", "import", "old.qcow2", "--name", "old")
    assert "old" in running.ok("image", "withdraw", "old").out
    text = running.write("old.yaml", ticket("old").replace("image: demo-linux", "image: old"))
    told = running.allot("check", text)
    assert (told.code, "ticket.unknown_name" in told.err) == (1, True), told.err
    running.ok("image", "import", "old.qcow2", "--name", "old")
    running.ok("check", text)
    assert "image.unknown" in running.allot("image", "withdraw", "no-such-image").err


def test_an_image_with_another_hash_is_refused_and_not_kept(running: ServiceUnderTest, url: str) -> None:
    told = running.allot("image", "import", url, "--name", "other", "--sha256", "0" * 64)
    assert told.code == 1
    assert "image.hash_mismatch" in told.err
    assert "what to do" in told.err
    assert "other" not in _images(running)


def test_a_url_without_a_hash_is_refused(running: ServiceUnderTest, url: str) -> None:
    told = running.allot("image", "import", url, "--name", "unsure")
    assert told.code == 1
    assert "image.hash_required" in told.err
    assert "unsure" not in _images(running)


def test_an_image_whose_file_is_gone_fails_the_ticket_with_the_cure_and_a_retry_finishes_it(running: ServiceUnderTest) -> None:
    (running.directory / "gone.qcow2").write_bytes(qcow2() + bytes(65_536))
    running.ok("image", "import", "gone.qcow2", "--name", "gone")
    sha256 = _images(running)["gone"]
    [kept] = [path for path in (running.state / "images").rglob("*") if path.is_file() and _sha256(path) == sha256]
    elsewhere = kept.rename(running.directory / "elsewhere")
    text = ticket("gone", count=2).replace("image: demo-linux", "image: gone")
    asked = running.allot("apply", running.write("gone.yaml", text), "--yes", "--wait", "--timeout", "90")
    assert asked.code == 1, asked.out + asked.err
    [failed] = running.ok("get", "tickets", "--system", "gone", "-o", "json").json
    assert (failed["state"], failed["problem"]["code"]) == ("failed", "driver.image_unreadable")
    for language, cure in (("en", "image directory"), ("zh-CN", "镜像目录")):
        assert cure in running.ok("--lang", language, "status", failed["id"]).out
    machines = running.ok("get", "instances", "--system", "gone", "-o", "json").json
    assert {m["observed"] for m in machines} <= {"absent", "unknown"}, "nothing half done"
    assert running.ok("quota", "audit").out.startswith("Every counter equals")
    elsewhere.rename(kept)
    running.ok("retry", failed["id"])
    assert "is done" in running.ok("status", failed["id"], "--wait", "--timeout", "90").out
    running.ok("release", "gone", "--confirm", "gone", "--wait")
    assert running.ok("quota", "audit").out.startswith("Every counter equals")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_limit_that_is_set_is_kept_by_the_next_ticket(running: ServiceUnderTest) -> None:
    assert "vCPU of P-PORTAL is now 2" in running.ok("quota", "set", "P-PORTAL", "vcpu", "2").out
    file = running.write("three.yaml", ticket("three", count=3))
    refused = running.allot("apply", file, "--yes")
    assert refused.code == 1
    assert "quota.exceeded" in refused.err
    shown = running.ok("quota", "show", "--department", "civil-affairs", "-o", "json").json
    assert {"limit": 2, "mode": "limit"}.items() <= next(
        q for q in shown if (q["scope"], q["dimension"]) == ("P-PORTAL", "vcpu")
    ).items()
    running.ok("quota", "set", "P-PORTAL", "vcpu", "unlimited")
    assert "is done" in running.ok("apply", file, "--yes", "--wait").out
    assert running.ok("quota", "audit").out.startswith("Every counter equals")


@pytest.mark.parametrize(("limit", "code"), [("many", 64), ("-1", 64), ("99999999999999", 1)])
def test_a_limit_that_is_none_is_refused(running: ServiceUnderTest, limit: str, code: int) -> None:
    told = running.allot("quota", "set", "P-PORTAL", "vcpu", "--", limit)
    assert told.code == code, told.err
    assert "Traceback" not in told.err
