"""What breaks between us and a region, on its real services: nothing is doubled, nothing is left, and the state is clear."""

import hashlib
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from drivers.faults import OutcomeUnknown, Permanent, Transient
from drivers.openstack.driver import OpenStackDriver
from drivers.openstack.region_book import LONGEST_MEMORY_S
from drivers.openstack.settings import PER_DEPARTMENT
from drivers.protocol import ObservedInstance
from inventory.domain.organisation import place_name
from inventory.domain.resource import Observed
from tests.openstack.harness import STORAGE_POOL, Behind, ShiftedClock, driver_of, new_cidr, new_id
from tests.openstack.proxy import Asked, Cut, Hang, Lose, Pass, Proxies, Refuse, Treatment, Trickle, once_each, proxies_before
from tests.openstack.region.layout import Layout
from tests.openstack.region.region import COMPUTE, Region
from tests.openstack.region.schemas import sql
from tests.openstack.region.seeding import PLATFORM_USER, QUOTAS
from tests.openstack.wish import FENCE, Wish, assert_made_once, assert_nothing_left, wish_behind, wish_on
from tests.support.libvirtd import until

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(900)]

HYPERVISOR = "hv-005"
#: Longest until a service has begun with what holds it up.
HELD_UP_S = 300
BUILD_LIMIT_S = 600
#: What is asked to make a machine and the project it is in, by service, method and the end of the path.
CHANGES_IN_A_PROJECT = {
    ("keystone", "POST", "tokens"), ("keystone", "POST", "projects"), ("keystone", "PUT", "roles"),
    ("nova", "PUT", "os-quota-sets"), ("cinder", "PUT", "os-quota-sets"), ("neutron", "PUT", "quotas"),
    ("neutron", "POST", "networks"), ("neutron", "POST", "subnets"), ("neutron", "POST", "security-groups"),
    ("neutron", "POST", "security-group-rules"), ("neutron", "POST", "ports"), ("cinder", "POST", "volumes"),
    ("nova", "POST", "flavors"), ("nova", "POST", "servers"),
}  # fmt: skip
#: What is known to take too long is not waited for, and what is being built for ever is given up: seconds.
QUICK = pytest.mark.parametrize("proxies", [{"wait_s": 3, "build_limit_s": 120}], indirect=True)


@pytest.fixture
def proxies(request: pytest.FixtureRequest, region: Region, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxies]:
    """Proxies in front of the region's services."""
    with proxies_before(region.layout, tmp_path, monkeypatch, **{"wait_s": 60, **getattr(request, "param", {})}) as found:
        yield found


#: Seconds: a service may be slow here, and a bound that is met is waited for.
SHORT = pytest.mark.parametrize("proxies", [{"call_timeout_s": 15}], indirect=True)


@pytest.fixture
def wish(proxies: Proxies, behind: Behind, tmp_path: Path) -> Iterator[Wish]:
    """A wish whose every call goes through the proxies; what a failed test leaves is taken away."""
    with wish_behind(proxies, HYPERVISOR, tmp_path) as found:
        yield found
    behind.remove_images(found.image)


def is_create(asked: Asked) -> bool:
    """Whether a request makes something."""
    return asked.method == "POST" or (asked.service == "glance" and asked.method == "PUT")


def test_a_lost_answer_at_every_create_call_doubles_nothing(wish: Wish, proxies: Proxies, behind: Behind) -> None:
    proxies.treat = once_each(Lose(), is_create)
    assert wish.make().state is Observed.RUNNING
    lost = [f for f in wish.faults if isinstance(f, OutcomeUnknown)]
    # Network, subnet, group, rules, port, volume, image, its bytes, machine.
    assert len(lost) >= 9, [f.problem for f in wish.faults]
    assert_made_once(behind, wish)
    wish.remove()
    assert_nothing_left(behind, wish)


@pytest.mark.parametrize("proxies", [{"projects": PER_DEPARTMENT, "project_role": "admin"}], indirect=True)
def test_a_lost_answer_at_every_call_that_changes_something_in_a_departments_project(
    wish: Wish, proxies: Proxies, behind: Behind
) -> None:
    code = f"lost-{new_id('volume')[-8:].lower()}"
    _belongs_to(wish, code)
    shape = {"vcpus": 1, "ram": wish.request.memory_mib}
    _forget_flavors(behind, shape)
    proxies.treat = once_each(Lose(), lambda asked: asked.method in ("POST", "PUT"))
    try:
        assert wish.make().state is Observed.RUNNING
        proxies.treat = lambda _asked: Pass()
        lost = {(a.service, a.method, a.kind[2].rpartition("/")[2]) for a in proxies.asked}
        assert lost >= CHANGES_IN_A_PROJECT, CHANGES_IN_A_PROJECT - lost
        assert_made_once(behind, wish)
        (project,) = behind.cloud.identity.projects(name=place_name(code))
        assert behind.servers(wish.request.instance_id)[0].project_id == project.id
        assert len([f for f in behind.cloud.compute.flavors() if is_of(f, shape)]) == 1
    finally:
        proxies.treat = lambda _asked: Pass()
        wish.remove()
        wish.driver.ensure_department_absent(code)
        _forget_flavors(behind, shape)
    assert_nothing_left(behind, wish)
    assert list(behind.cloud.identity.projects(name=place_name(code))) == []


def _belongs_to(wish: Wish, department: str) -> None:
    """Have it in a department's project, of a size no flavor is of."""
    wish.segment = replace(wish.segment, department=department)
    wish.data = replace(wish.data, department=department)
    root = replace(wish.request.root, department=department)
    wish.request = replace(wish.request, department=department, memory_mib=101, root=root)


def _forget_flavors(behind: Behind, shape: Mapping[str, int]) -> None:
    for flavor in behind.cloud.compute.flavors():
        if is_of(flavor, shape):
            behind.cloud.compute.delete_flavor(flavor)


def is_of(flavor: Any, shape: Mapping[str, int]) -> bool:
    """Whether a flavor has these numbers."""
    return all(getattr(flavor, name) == number for name, number in shape.items())


def test_lost_answers_where_a_card_is_taken_out_and_put_back_leave_one(wish: Wish, proxies: Proxies, behind: Behind) -> None:
    cloud, instance_id = behind.cloud, wish.request.instance_id
    wish.make()
    (server,) = behind.servers(instance_id)
    strange = cloud.network.create_network(name=f"strange-{instance_id}", project_id=server.project_id)
    cloud.network.create_subnet(network_id=strange.id, ip_version=4, cidr=new_cidr(), project_id=server.project_id)
    try:
        behind.meddle_card(instance_id, strange.name)
        until(lambda: {p.network_id for p in cloud.network.ports(device_id=server.id)} == {strange.id}, HELD_UP_S, "it is there")
        proxies.treat = once_each(Lose(), lambda asked: "os-interface" in asked.path and asked.method in ("POST", "DELETE"))
        wish.have(lambda: wish.driver.ensure_launched(wish.request, wish.fence))
        assert {a.method for a in proxies.asked if "os-interface" in a.path} == {"POST", "DELETE"}
        assert [f.problem.code for f in wish.faults].count("driver.outcome_unknown") == 2
        (card,) = cloud.network.ports(device_id=server.id)
        assert (card.mac_address, card.fixed_ips[0]["ip_address"]) == (wish.request.nics[0].mac, wish.request.nics[0].address)
        assert_made_once(behind, wish)
    finally:
        proxies.treat = lambda _asked: Pass()
        behind.tidy_after_meddling()
        cloud.network.delete_network(strange)


def test_a_region_that_asks_for_patience_gets_it(wish: Wish, proxies: Proxies, behind: Behind) -> None:
    limits = once_each(Refuse(429, {"Retry-After": "1"}), is_create)
    trouble = once_each(Refuse(503), lambda asked: asked.method == "GET")
    wish.driver.observe()  # a connection whose services did not all answer when it was made is given up, see the next test
    proxies.treat = lambda asked: limits(asked) if is_create(asked) else trouble(asked)
    assert wish.make().state is Observed.RUNNING
    assert wish.faults == [], "calls that may be made again are made again without troubling the caller"
    assert_made_once(behind, wish)


def test_a_connection_that_could_not_find_every_service_is_made_anew(wish: Wish, proxies: Proxies) -> None:
    proxies.treat = lambda asked: Refuse(503) if asked.service == "neutron" else Pass()
    with pytest.raises(Transient) as unreachable:
        wish.driver.observe()
    assert unreachable.value.problem.code == "driver.unreachable"
    proxies.treat = lambda _asked: Pass()
    observe_again(wish)


def observe_again(wish: Wish) -> None:
    """Look until the region is open: that it could not be opened is remembered for as long as that took."""

    def is_seen() -> bool:
        try:
            wish.driver.observe()
        except Transient:
            return False
        return True

    until(is_seen, LONGEST_MEMORY_S + 30, "a look at the region")


def test_a_create_that_met_trouble_is_not_made_again_unseen(wish: Wish, proxies: Proxies) -> None:
    wish.driver.observe()
    proxies.asked.clear()
    proxies.treat = lambda asked: Refuse(503) if is_create(asked) else Pass()
    with pytest.raises(OutcomeUnknown):
        wish.driver.ensure_volume(wish.data, FENCE)
    assert [a.method for a in proxies.asked].count("POST") == 1


@SHORT
@pytest.mark.parametrize("treatment", [Hang(), Trickle()])
def test_an_answer_that_never_comes_or_never_ends_is_a_lost_one(
    wish: Wish, proxies: Proxies, behind: Behind, treatment: Treatment
) -> None:
    wish.driver.observe()

    def is_meant(asked: Asked) -> bool:
        is_disk = asked.method == "POST" and asked.service == "cinder" and asked.path.endswith("/volumes")
        return is_disk or (asked.method == "GET" and "servers/detail" in asked.path)

    proxies.treat = once_each(treatment, is_meant)
    wish.driver.observe()
    with pytest.raises(OutcomeUnknown):
        wish.driver.ensure_volume(wish.data, FENCE)
    wish.have(lambda: wish.driver.ensure_volume(wish.data, FENCE))
    assert len(list(behind.cloud.block_storage.volumes(name=wish.data.volume_id, all_projects=True))) == 1
    wish.have(lambda: wish.driver.ensure_volume_absent(wish.data.volume_id, STORAGE_POOL, FENCE))


def test_what_a_region_refuses_for_longer_is_left_to_the_reconciler(wish: Wish, proxies: Proxies) -> None:
    proxies.treat = lambda asked: Refuse(429, {"Retry-After": "60"}) if is_create(asked) else Refuse(503)
    with pytest.raises(Transient) as unreachable:
        wish.driver.observe()
    assert unreachable.value.problem.code == "driver.unreachable"
    proxies.treat = lambda _asked: Pass()
    observe_again(wish)
    proxies.treat = once_each(Refuse(429, {"Retry-After": "60"}), is_create)
    with pytest.raises(Transient) as too_many:
        wish.driver.ensure_volume(wish.data, FENCE)
    assert (too_many.value.problem.code, too_many.value.delay_s) == ("openstack.too_many_calls", 60)


def test_an_upload_that_is_cut_leaves_one_whole_image(wish: Wish, proxies: Proxies, behind: Behind, tmp_path: Path) -> None:
    path = tmp_path / "other.raw"
    path.write_bytes(new_id("image").encode() * 50_000)
    image = replace(wish.image, image_id=new_id("image"), path=path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    proxies.treat = once_each(Cut(), lambda asked: asked.method == "PUT" and asked.service == "glance")
    with pytest.raises(OutcomeUnknown):
        wish.driver.ensure_image(image, STORAGE_POOL)
    wish.have(lambda: wish.driver.ensure_image(image, STORAGE_POOL))
    ids = behind.image_ids(image)
    assert len(ids) == 1
    assert behind.cloud.image.get_image(ids[0]).status == "active"
    behind.cloud.image.delete_image(ids[0])


@pytest.mark.alone
def test_a_quota_lower_in_the_region_is_said_with_the_regions_own_words(wish: Wish, behind: Behind) -> None:
    compute, block, network = behind.cloud.compute, behind.cloud.block_storage, behind.cloud.network
    project_id = behind.cloud.identity.find_project(PLATFORM_USER).id
    compute_quota, block_quota, network_quota = (
        partial(update, project_id) for update in (compute.update_quota_set, block.update_quota_set, network.update_quota)
    )
    driver, refused = wish.driver, {}

    def refuse(quota: Callable[..., Any], service: str, word: str, call: Callable[[], Any]) -> None:
        quota(**{word: 0})
        try:
            with pytest.raises(Permanent) as fault:
                call()
        finally:
            quota(**{word: QUOTAS[service][word]})
        refused[word] = fault.value.problem.code
        # Neutron names the kind, Cinder's word for its own is another one.
        words = {"networks": "network", "volumes": "VolumeLimitExceeded", "gigabytes": "gigabytes"}
        assert words.get(word, word) in fault.value.problem.params["reason"], fault.value.problem

    refuse(network_quota, "network", "networks", lambda: driver.ensure_segment(wish.segment, FENCE))
    wish.have(lambda: driver.ensure_segment(wish.segment, FENCE))
    driver.ensure_image(wish.image, STORAGE_POOL)
    for word in ("volumes", "gigabytes"):
        refuse(block_quota, "block_storage", word, lambda: driver.ensure_volume(wish.data, FENCE))
    driver.ensure_volume(wish.data, FENCE)
    driver.ensure_volume(wish.request.root, FENCE)
    for word in ("instances", "cores", "ram"):
        refuse(compute_quota, "compute", word, lambda: driver.ensure_launched(wish.request, FENCE))
    assert refused == {
        "networks": "openstack.quota_exceeded",
        "volumes": "openstack.quota_exceeded",
        "gigabytes": "openstack.quota_exceeded",
        # Nova's answer does not tell a quota from a right that is missing: its limits do.
        "instances": "openstack.quota_exceeded",
        "cores": "openstack.quota_exceeded",
        "ram": "openstack.quota_exceeded",
    }
    assert behind.servers(wish.request.instance_id) == []


def test_ports_of_a_machine_that_was_never_made_go_with_it(wish: Wish, proxies: Proxies, behind: Behind) -> None:
    # Without address entries the machine's own step makes the port.
    wish.segment = replace(wish.segment, leases=())
    proxies.treat = lambda asked: Refuse(400) if asked.method == "POST" and asked.path.endswith("/servers") else Pass()
    with pytest.raises(Permanent):
        wish.make()
    assert len(behind.ports(wish.request.instance_id)) == 1
    wish.remove()
    assert_nothing_left(behind, wish)


def test_a_disk_grows_and_stays_the_same_disk(wish: Wish, behind: Behind) -> None:
    wish.driver.ensure_volume(wish.data, FENCE)
    (before,) = behind.volumes(wish.data.volume_id)
    wish.driver.ensure_volume(replace(wish.data, size_gib=3), FENCE)
    (after,) = behind.volumes(wish.data.volume_id)
    assert (after.id, after.size, after.status) == (before.id, 3, "available")


def test_a_failed_build_is_cleared_away_by_a_newer_hold(wish: Wish, region: Region, behind: Behind) -> None:
    wish.make()
    (broken,) = behind.servers(wish.request.instance_id)
    # As a controller that died while it was built finds it: Nova takes no new mark on it.
    text = f"update nova.instances set vm_state = 'error', launched_at = null where uuid = '{broken.id}';"
    sql(region.layout, text)
    assert behind.cloud.compute.get_server(broken.id).status == "ERROR"
    wish.fence = FENCE + 1
    seen = wish.have(lambda: wish.driver.ensure_launched(wish.request, wish.fence))
    assert (seen.state, seen.fence) == (Observed.RUNNING, wish.fence)
    assert_made_once(behind, wish)
    assert behind.servers(wish.request.instance_id)[0].id != broken.id


def test_a_machine_the_region_deleted_softly_goes_for_good_or_is_made_anew(wish: Wish, region: Region, behind: Behind) -> None:
    wish.make()
    for end in ("anew", "gone"):
        (softly,) = behind.servers(wish.request.instance_id)
        # As where Nova keeps what somebody deleted: its own word for it, in its own record.
        sql(region.layout, f"update nova.instances set vm_state = 'soft-delete' where uuid = '{softly.id}';")
        assert behind.cloud.compute.get_server(softly.id).status == "SOFT_DELETED"
        assert wish.driver.observe_instance(wish.request.instance_id) is None
        if end == "anew":
            assert wish.have(lambda: wish.driver.ensure_launched(wish.request, FENCE)).state is Observed.RUNNING
            assert_made_once(behind, wish)
            assert behind.servers(wish.request.instance_id)[0].id != softly.id
    wish.remove()
    assert_nothing_left(behind, wish)


def test_a_resize_cut_between_its_halves_is_ended_by_a_newer_hold(wish: Wish, proxies: Proxies, behind: Behind) -> None:
    wish.make()
    wish.driver.ensure_stopped(wish.request.instance_id, FENCE, graceful_s=0)
    # The newer hold wants what was begun, or what was there before: the resize is confirmed, or taken back.
    for begun_mib, wanted_mib in ((192, 192), (256, 192)):
        proxies.treat = once_each(Lose(), lambda asked: asked.action == "resize")
        with pytest.raises(OutcomeUnknown):
            wish.driver.ensure_defined(replace(wish.request, memory_mib=begun_mib), wish.fence)
        proxies.treat = lambda _asked: Pass()
        wish.fence += 1
        wish.request = replace(wish.request, memory_mib=wanted_mib)
        wish.have(lambda: wish.driver.ensure_defined(wish.request, wish.fence))
        seen = wish.driver.observe_instance(wish.request.instance_id)
        assert seen is not None
        assert (seen.state, seen.memory_mib, seen.fence) == (Observed.STOPPED, wanted_mib, wish.fence)
    assert_made_once(behind, wish)


def test_a_resize_no_hypervisor_has_room_for_is_told_and_leaves_the_machine_as_it_was(wish: Wish, behind: Behind) -> None:
    wish.make()
    instance_id = wish.request.instance_id
    wish.driver.ensure_stopped(instance_id, FENCE, graceful_s=0)
    with pytest.raises(Permanent) as refused:
        wish.driver.ensure_defined(replace(wish.request, memory_mib=200_000), FENCE)
    assert refused.value.problem.code == "openstack.resize_failed"
    assert refused.value.problem.params["reason"], "the region's words"
    seen = wish.have(lambda: wish.driver.ensure_running(instance_id, FENCE))
    assert (seen.state, seen.memory_mib) == (Observed.RUNNING, wish.request.memory_mib)
    assert_made_once(behind, wish)


@pytest.mark.alone
def test_a_token_that_is_no_longer_good_is_replaced(wish: Wish, region: Region, behind: Behind) -> None:
    wish.driver.observe()
    sdk = wish.driver._region.sdk
    old = sdk.auth_token
    behind.cloud.identity.delete("/auth/tokens", headers={"X-Subject-Token": old})
    _forget_tokens(region.layout)
    wish.driver.observe()
    assert sdk.auth_token != old


def _forget_tokens(layout: Layout) -> None:
    with socket.create_connection(("127.0.0.1", layout.port("memcached"))) as cache:
        cache.sendall(b"flush_all\r\nquit\r\n")
        assert cache.recv(16).startswith(b"OK")


@pytest.mark.alone
@QUICK
@pytest.mark.parametrize("broken", [COMPUTE, "database", "broker"])
def test_what_breaks_while_a_machine_is_built_leaves_one_machine(wish: Wish, region: Region, behind: Behind, broken: str) -> None:
    slow, begun = region.layout.directory / "slow-build", region.layout.directory / "slow-build.begun"
    slow.touch()
    try:
        wish.have(lambda: wish.driver.ensure_segment(wish.segment, FENCE))
        wish.have(lambda: wish.driver.ensure_volume(wish.data, FENCE))
        wish.have(lambda: wish.driver.ensure_image(wish.image, STORAGE_POOL))
        wish.have(lambda: wish.driver.ensure_volume(wish.request.root, FENCE))
        with pytest.raises(Transient) as building:
            wish.driver.ensure_launched(wish.request, FENCE)
        assert building.value.problem.code == "openstack.not_ready"
        until(begun.exists, HELD_UP_S, "the compute service has begun to build")
        if broken == COMPUTE:
            region.processes.kill(broken)
        else:
            region.processes.stop([broken])
    finally:
        slow.unlink()
        begun.unlink(missing_ok=True)
        region.start_service(broken)
        region.wait_ready(since_s=time.time() + 1)
    assert _made_at_last(wish).state is Observed.RUNNING
    assert_made_once(behind, wish)


def _made_at_last(wish: Wish) -> ObservedInstance:
    """Make it, as often as a reconciler would place it again."""
    refused: list[str] = []
    while len(refused) < 3:
        try:
            return wish.have(lambda: wish.driver.ensure_launched(wish.request, FENCE))
        except Permanent as fault:
            refused.append(fault.problem.code)
    assert set(refused) == {"openstack.build_failed"}
    raise AssertionError("it is not made in three attempts")


@pytest.mark.alone
def test_a_machine_stuck_without_a_scheduler_is_cleared_away_and_made_anew(
    region: Region, behind: Behind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ShiftedClock()
    with proxies_before(region.layout, tmp_path, monkeypatch, wait_s=3, build_limit_s=BUILD_LIMIT_S) as _proxies:
        driver = driver_of(f"openstack://proxied/{HYPERVISOR}", clock=clock)
        assert isinstance(driver, OpenStackDriver)
        wish = wish_on(driver, tmp_path)
        wish.have(lambda: driver.ensure_segment(wish.segment, FENCE))
        wish.have(lambda: driver.ensure_volume(wish.data, FENCE))
        wish.have(lambda: driver.ensure_image(wish.image, STORAGE_POOL))
        wish.have(lambda: driver.ensure_volume(wish.request.root, FENCE))
        region.processes.stop(["nova-scheduler"])
        try:
            with pytest.raises(Transient):
                driver.ensure_launched(wish.request, FENCE)
            (first,) = behind.servers(wish.request.instance_id)
            seen = driver.observe_instance(wish.request.instance_id)
            assert seen is not None
            assert seen.state is Observed.UNKNOWN, "what is being built is neither running nor stopped"
            clock.ahead_s = 2 * BUILD_LIMIT_S
            with pytest.raises(Transient):
                driver.ensure_launched(wish.request, FENCE)
            clock.ahead_s = 0
        finally:
            region.start_service("nova-scheduler")
        assert first.id not in {s.id for s in behind.servers(wish.request.instance_id)}
        assert _made_at_last(wish).state is Observed.RUNNING
        assert_made_once(behind, wish)
        wish.remove()
        assert_nothing_left(behind, wish)
        behind.remove_images(wish.image)
        driver.close()
