"""The site document: the example, every section's checks, and references across sections."""

from datetime import date

import pytest

from inventory.domain.layout import Layout
from inventory.domain.organisation import Billing
from inventory.importers.site import parse_site
from inventory.importers.site_records import SiteDocument, SiteHost, SiteStorage
from tests.support.tickets import EXAMPLES, codes_of, problems_of

EXAMPLE = (EXAMPLES / "site.yaml").read_text(encoding="utf-8")
HEAD = "apiVersion: allotment/v1\nkind: Site\n"


def site(*edits: tuple[str, str]) -> SiteDocument:
    text = EXAMPLE
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    return parse_site(text.encode())


def test_the_example_is_read_whole() -> None:
    document = site()
    assert [(d.code, d.parent) for d in document.departments] == [
        ("city-hall", ""),
        ("civil-affairs", "city-hall"),
        ("education", "city-hall"),
    ]
    assert [(p.code, p.department, p.budget_code, p.is_open) for p in document.projects] == [
        ("GZ2026-MZJ-017", "civil-affairs", "2080299", True),
        ("GZ2026-JW-003", "education", "2050101", True),
    ]
    zone = document.zones[0]
    assert (zone.code, zone.name, zone.mlps_max, zone.address_range, zone.segment_prefix) == (
        "gov-public",
        "政务外网",
        3,
        "10.96.0.0/16",
        26,
    )
    assert (document.pools[0].driver, document.pools[0].overcommit_permille) == ("libvirt", {"vcpu": 4000, "memory_mib": 1000})
    assert [(s.name, s.vcpu_count, s.memory_mib, s.root_disk_gib) for s in document.sizes][:2] == [
        ("tiny", 1, 128, 1),
        ("small", 2, 4096, 20),
    ]
    assert (document.images[0].file, document.images[0].arch) == ("demo-linux.qcow2", "x86_64")
    assert document.quotas[-1].limits == {
        "vcpu": 48,
        "memory_mib": 192 * 1024,
        "disk_gib": 2048,
        "instances": 40,
        "volumes": "unlimited",
        "addresses": "inherit",
    }
    price = document.prices[2]
    assert (price.meter, price.micro_yuan_per_unit_hour, price.valid_from) == ("disk_gib:standard", 700, date(2026, 1, 1))


def test_the_hosts_of_the_comment_in_the_example_are_read() -> None:
    lines = EXAMPLE.splitlines()
    first = lines.index("# hosts:")
    hosts = [line.removeprefix("# ") for line in lines[first : first + 12]]
    (host,) = parse_site("\n".join([*lines, *hosts]).encode()).hosts
    assert host == SiteHost(
        name="rack3-07",
        pool="libvirt-demo",
        connection="qemu+tls://rack3-07.example.gov.cn/system",
        site="市数据中心一",
        room="二层东",
        rack="A03",
        vendor="某厂商",
        owner="市信息中心",
        warranty_until="2029-05-31",
        reserved={"vcpu": 4, "memory_mib": 16384},
        storage=(
            SiteStorage(name="allotment", disk_class="standard", path="/var/lib/libvirt/allotment", overcommit_permille=1500),
        ),
    )


def hosts(connection: str = "qemu:///system", more: str = "") -> str:
    return f"{HEAD}hosts:\n  - {{name: a1, pool: p1, connection: '{connection}'{more}}}\n"


def test_a_document_of_hosts_only_may_refer_to_what_is_stored() -> None:
    assert parse_site(hosts().encode(), known={"pool": {"p1"}}).hosts[0].pool == "p1"
    assert codes_of(lambda: parse_site(hosts().encode())) == ["site.unknown_reference"]


def test_capacity_and_overcommit_of_a_host_are_by_dimension() -> None:
    text = hosts(more=", capacity: {cpu: 64核, memory: 256G}, overcommit: {vcpu: 2.5}")
    host = parse_site(text.encode(), known={"pool": {"p1"}}).hosts[0]
    assert (host.capacity_override, host.overcommit_permille) == ({"vcpu": 64, "memory_mib": 262_144}, {"vcpu": 2500})


@pytest.mark.parametrize(
    "connection", ["qemu:///system", "qemu+ssh://root@a1/system", "qemu+tls://a1/system", "test:///default", "simulated://7"]
)
def test_local_and_encrypted_connections_are_accepted(connection: str) -> None:
    assert parse_site(hosts(connection).encode(), known={"pool": {"p1"}}).hosts


@pytest.mark.parametrize(
    "connection", ["qemu+tcp://a1/system", "http://a1", "a1", "qemu+ssh://root:geheim@a1/system", "qemu://[/system"]
)
def test_other_connections_are_refused_without_showing_a_login(connection: str) -> None:
    (problem,) = problems_of(lambda: parse_site(hosts(connection).encode(), known={"pool": {"p1"}}))
    assert problem.code == "site.bad_connection"
    assert "geheim" not in str(problem.params)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("parent: city-hall", "parent: city-hal", "site.unknown_reference"),
        ("department: education,", "department: educatoin,", "site.unknown_reference"),
        ("zone: gov-public", "zone: gov", "site.unknown_reference"),
        ("{project: GZ2026-MZJ-017,", "{project: GZ2026-MZJ-018,", "site.unknown_reference"),
        ("{code: city-hall, name: 市政府}", "{code: city-hall, name: 市政府, parent: civil-affairs}", "site.department_cycle"),
        (
            "{code: civil-affairs, name: 市民政局, parent: city-hall}",
            "{code: civil-affairs, name: 市民政局, parent: civil-affairs}",
            "site.department_cycle",
        ),
        ("address-range: 10.97.0.0/16", "address-range: 10.96.128.0/17", "site.ranges_overlap"),
        ("address-range: 10.97.0.0/16", "address-range: 10.97.0.1/16", "site.bad_address_range"),
        ("address-range: 10.97.0.0/16", "address-range: 8.8.0.0/16", "site.bad_address_range"),
        ("address-range: 10.97.0.0/16", "address-range: fd00::/48", "site.bad_address_range"),
        (
            "address-range: 10.97.0.0/16, segment-prefix: 26",
            "address-range: 10.97.0.0/26, segment-prefix: 24",
            "site.segment_too_large",
        ),
        ("    mlps-max: 3\n", "    mlps-max: 4\n", "site.pool_above_zone"),
        ("file: demo-linux.qcow2", "sha256: " + "a" * 64, "site.image_source"),
        ("file: demo-linux.qcow2", "file: a.qcow2, url: 'https://x/y'", "site.image_source"),
        ("file: demo-linux.qcow2", "url: 'https://x/y'", "site.image_hash_missing"),
        ("file: demo-linux.qcow2", "url: 'file:///etc/passwd', sha256: " + "a" * 64, "site.bad_url"),
        ("file: demo-linux.qcow2", "url: 'https://u:p@x/y', sha256: " + "a" * 64, "site.bad_url"),
        ("file: demo-linux.qcow2", "file: ../../etc/shadow", "document.bad_format"),
        ("vcpu: 256", "vcpu: -1", "site.bad_limit"),
        ("vcpu: 256", "vcpu: Unlimited", "site.bad_limit"),
        ("memory: 512GiB", "memory: 512", "site.bad_limit"),
        ("disk: 10TiB", "disk: 512MiB", "site.bad_limit"),
        ("{department: city-hall, vcpu", "{vcpu", "site.quota_scope"),
        ("{department: city-hall, vcpu", "{department: city-hall, project: GZ2026-JW-003, vcpu", "site.quota_scope"),
        ("{department: education, vcpu", "{department: civil-affairs, vcpu", "site.quota_twice"),
        ("{meter: vcpu, unit: vcpu-hour", "{meter: cpu, unit: vcpu-hour", "site.unknown_meter"),
        ("{meter: vcpu, unit: vcpu-hour", "{meter: vcpu, unit: core-month", "site.wrong_unit"),
        ('"disk_gib:high-performance"', '"disk_gib:standard"', "site.price_twice"),
        ('price: "0.076400"', 'price: "0.0764001"', "document.not_a_decimal"),
        ('price: "0.076400"', 'price: "-1"', "document.not_a_decimal"),
        ("valid-from: 2026-01-01", "valid-from: 2026-13-01", "document.not_a_date"),
        ("{code: education, name: 市教委", "{code: civil-affairs, name: 市教委", "document.duplicate_item"),
        ("kind: Site", "kind: Ticket", "document.unknown_value"),
        ("departments:", "departements:", "site.unknown_field"),
        ("memory: 128MiB", "memory: 128", "document.not_an_amount"),
        ('vcpu: "4.0"', 'vcpu: "4.0001"', "document.not_a_decimal"),
    ],
)
def test_what_is_wrong_with_a_site_is_named(old: str, new: str, code: str) -> None:
    found = problems_of(lambda: site((old, new)))
    assert {p.code for p in found} == {code}
    assert all(p.where is not None and p.where.line for p in found)


def test_zero_is_a_limit_of_its_own() -> None:
    assert site(("memory: 512GiB", "memory: 0")).quotas[0].limits["memory_mib"] == 0


def test_departments_are_ordered_parents_first_whatever_the_order_of_the_document() -> None:
    text = (
        HEAD + "departments:\n  - {code: c3, name: c, parent: c2}\n  - {code: c2, name: b, parent: c1}\n  - {code: c1, name: a}\n"
    )
    assert [d.code for d in parse_site(text.encode()).departments] == ["c1", "c2", "c3"]


def test_all_problems_of_the_references_come_at_once() -> None:
    found = problems_of(lambda: site(("zone: gov-public", "zone: x1"), ("department: education,", "department: x2,")))
    assert sorted(str(p.params["written"]) for p in found) == ["x1", "x2"]


def test_a_project_may_be_closed() -> None:
    assert not site(('budget-code: "2080299"', 'budget-code: "2080299", open: false')).projects[0].is_open


def test_an_empty_site_is_a_site() -> None:
    assert parse_site(HEAD.encode()).departments == ()


NUMA_HOST = """\
pools: [{code: p, name: p, zone: z, driver: simulated, mlps-max: 2}]
zones: [{code: z, name: z, network-class: z, mlps-max: 3, address-range: 10.0.0.0/16}]
hosts: [{name: h1, pool: p, connection: "simulated://w/h1", %s}]
"""


def test_processors_and_traits_of_a_host_are_read() -> None:
    words = 'dedicated-cpus: "20-31, 4-15", shared-cpus: 0-3, traits: [ssd, nvme]'
    (host,) = parse_site((HEAD + NUMA_HOST % words).encode()).hosts
    assert (host.dedicated_cpus, host.shared_cpus, host.traits) == ("4-15,20-31", "0-3", ("nvme", "ssd"))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ('dedicated-cpus: "8-4"', "site.bad_cpus"),
        ('dedicated-cpus: "9000"', "site.bad_cpus"),
        ('dedicated-cpus: "0-4", shared-cpus: "4-7"', "site.cpus_overlap"),
        ('dedicated-cpus: "a-b"', "document.bad_format"),
    ],
)
def test_sets_of_processors_that_cannot_be_are_refused(words: str, code: str) -> None:
    assert code in codes_of(lambda: parse_site((HEAD + NUMA_HOST % words).encode()))


def test_a_size_asks_for_processors_pages_and_nodes() -> None:
    text = """\
sizes:
  - {name: db, vcpu: 8, memory: 32GiB, root-disk: 40GiB, cpus: dedicated, huge-pages: 1GiB, numa-nodes: 2, traits: [ssd]}
  - {name: pinned, vcpu: 4, memory: 8GiB, root-disk: 40GiB, cpus: 专用}
  - {name: plain, vcpu: 4, memory: 8GiB, root-disk: 40GiB, cpus: shared}
"""
    db, pinned, plain = parse_site((HEAD + text).encode()).sizes
    assert (db.layout, db.traits) == (Layout(is_dedicated=True, page_kib=1048576, node_count=2), ("ssd",))
    assert pinned.layout == Layout(is_dedicated=True, node_count=1)
    assert not plain.layout


@pytest.mark.parametrize(
    "words",
    [
        "vcpu: 3, memory: 8GiB, numa-nodes: 2",
        "vcpu: 4, memory: 1001MiB, numa-nodes: 2",
        "vcpu: 4, memory: 1001MiB, huge-pages: 2MiB",
    ],
)
def test_a_size_that_cannot_be_split_evenly_is_refused(words: str) -> None:
    text = HEAD + f"sizes: [{{name: db, root-disk: 40GiB, {words}}}]\n"
    assert codes_of(lambda: parse_site(text.encode())) == ["site.size_not_even"]


def test_how_a_department_is_billed_is_said_in_english_or_chinese_or_not_at_all() -> None:
    text = (
        "apiVersion: allotment/v1\nkind: Site\ndepartments:\n"
        "  - {code: a, name: A, billing: showback}\n  - {code: b, name: B, parent: a, billing: 计费}\n"
        "  - {code: c, name: C, parent: b}\n"
    )
    found = {d.code: d.billing for d in parse_site(text.encode()).departments}
    assert found == {"a": Billing.SHOWBACK, "b": Billing.CHARGEBACK, "c": None}
    assert codes_of(lambda: parse_site(text.replace("showback", "free").encode())) == ["document.unknown_value"]
