"""Nothing that could be more than a name, an address or a path gets as far as Ansible."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from controller.texts.preparation import TEXTS
from drivers.ansible.preparer import HostPreparer, PrepareRequest, StoragePlace
from drivers.ansible.private_directory import private_directory
from drivers.ansible.requests import unsafe
from drivers.faults import Permanent

_DRIVER = Path(__file__).parents[2] / "drivers" / "ansible"
HOSTILE = [
    "{{ lookup('pipe', 'id') }}",
    "a{{b}}",
    "{% raw %}",
    "{# note #}",
    "$(id)",
    "`id`",
    "a b",
    "a;b",
    "a\nb",
    "a'b",
    'a"b',
    "-oProxyCommand=id",
    "--help",
    "../../etc",
    "",
    "a" * 300,
    "主机",
    "a<b>",
    "a&b",
    "a\x00b",
]
GOOD = PrepareRequest(host_name="node-1.example", storage=(StoragePlace(name="allot", path="/srv/allot.d/pool_1"),))


FIELDS = ("host_name", "storage_pool", "storage_path", "address", "user")


# An empty address is no bad address: it means this machine.
@pytest.mark.parametrize(
    ("field", "text"), [(field, text) for field in FIELDS for text in HOSTILE if (field, text) != ("address", "")]
)
def test_a_text_that_is_more_than_a_name_is_refused(field: str, text: str, tmp_path: Path) -> None:
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text("")
    texts = dict.fromkeys(FIELDS, "node-1") | {"storage_path": "/srv/allot", field: text}
    request = PrepareRequest(
        host_name=texts["host_name"],
        storage=(StoragePlace(name=texts["storage_pool"], path=texts["storage_path"]),),
        address=texts["address"],
        user=texts["user"],
        known_hosts_path=known_hosts,
    )
    with pytest.raises(Permanent) as refused:
        request.check()
    assert refused.value.problem.code == "prepare.refused_text"
    assert refused.value.problem.params == {"field": field}


@pytest.mark.parametrize("path", ["relative", "/a/../b", "/", "//a", "/a/", "/a b", "/a/-x", "/{{x}}", "/a\n"])
def test_only_plain_absolute_paths_are_taken(path: str) -> None:
    with pytest.raises(Permanent):
        replace(GOOD, storage=(StoragePlace(name="allot", path=path),)).check()


@pytest.mark.parametrize("storage", [("allot", "/srv/b"), ("other", "/srv/a")])
def test_two_pools_of_one_name_or_in_one_directory_are_refused(storage: tuple[str, str]) -> None:
    name, path = storage
    places = (StoragePlace(name="allot", path="/srv/a"), StoragePlace(name=name, path=path))
    with pytest.raises(Permanent) as refused:
        replace(GOOD, storage=places).check()
    assert refused.value.problem.code == "prepare.storage_twice"


def test_ordinary_requests_are_taken(tmp_path: Path) -> None:
    GOOD.check()
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text("")
    for address in ("198.51.100.7", "2001:db8::7", "node-1.example"):
        replace(GOOD, address=address, user="ops", port=2222, known_hosts_path=known_hosts).check()


def test_a_machine_whose_key_is_not_known_is_not_connected_to(tmp_path: Path) -> None:
    for known_hosts in (None, tmp_path / "absent"):
        with pytest.raises(Permanent) as refused:
            replace(GOOD, address="198.51.100.7", known_hosts_path=known_hosts).check()
        assert refused.value.problem.code == "prepare.known_hosts_missing"


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_out_of_range_is_refused(port: int, tmp_path: Path) -> None:
    with pytest.raises(Permanent):
        replace(GOOD, address="198.51.100.7", port=port, known_hosts_path=tmp_path).check()


def test_a_variable_is_marked_as_text_and_a_template_refused() -> None:
    assert unsafe("allot") == {"__ansible_unsafe": "allot"}
    for text in ("{{ x }}", "{% x %}", "{# x #}"):
        with pytest.raises(Permanent):
            unsafe(text)


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(Permanent) as refused:
        HostPreparer(tmp_path, tmp_path / "bin").prepare(GOOD)
    assert refused.value.problem.code == "prepare.not_installed"
    assert refused.value.problem.params == {"missing": str(tmp_path / "bin" / "ansible-playbook")}


def test_the_private_directory_is_closed_to_others_and_wiped_after_an_error(tmp_path: Path) -> None:
    def fail_inside() -> None:
        with private_directory(tmp_path) as directory:
            assert directory.stat().st_mode & 0o777 == 0o700
            (directory / "secret").write_text("hush")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()
    assert list(tmp_path.iterdir()) == []


def test_every_code_of_a_preparation_has_its_text() -> None:
    raised = {code for path in _DRIVER.glob("*.py") for code in re.findall(r'"(prepare\.[a-z0-9_]+)"', path.read_text())}
    assert raised == set(TEXTS)
    assert all(text.cure_zh and text.cure_en and text.actor for text in TEXTS.values())
