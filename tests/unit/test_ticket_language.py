"""The ticket language at its door: what is read, what is refused, and that nothing is ever silently ignored."""

import base64
import struct
from datetime import date

import pytest

from controller.tickets import aliases
from controller.tickets.model import Action
from controller.tickets.schema import TICKET
from controller.tickets.secrets import is_secret_key, is_ssh_public_key
from inventory.importers.shapes import Field, ListOf, Record, Shape, TextOr
from tests.support.tickets import EXAMPLES, TODAY, change, codes_of, parse, portal, problems_of

ED25519 = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(range(32))).decode() + " zhang@example"


def rsa_key(bits: int) -> str:
    modulus = (1 << (bits - 1)).to_bytes(bits // 8 + 1, "big")
    parts = (b"ssh-rsa", b"\1\0\1", modulus)
    return "ssh-rsa " + base64.b64encode(b"".join(struct.pack(">I", len(p)) + p for p in parts)).decode()


def test_the_portal_is_read_whole() -> None:
    ticket = parse(portal())
    assert (ticket.action, ticket.name, ticket.title) == (Action.CREATE, "civil-affairs-portal", "市民政局门户网站")
    assert (ticket.department, ticket.project, ticket.zone) == ("市民政局", "GZ2026-MZJ-017", "政务外网")
    assert (ticket.mlps_level, ticket.environment, ticket.base) == (2, "test", None)
    assert ticket.lease is not None
    assert ticket.lease.day == date(2027, 2, 28)
    web, db = ticket.servers
    assert (web.name, web.count, web.size, web.image, web.spread) == ("web", 2, "tiny", "demo-linux", "none")
    assert [(d.name, d.size_gib, d.disk_class) for d in db.disks] == [("data", 1, "standard")]


def test_every_value_keeps_its_place() -> None:
    ticket = parse(portal())
    where = ticket.where("resources.servers.1.disks.0.size")
    assert where is not None
    assert PORTAL_LINES[(where.line or 0) - 1][(where.column or 0) - 1 :].startswith("1GiB")
    assert where.pointer == "/resources/servers/1/disks/0/size"


PORTAL_LINES = portal().splitlines()


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda p: p.name)
def test_every_example_ticket_is_read(path: object) -> None:
    data = (EXAMPLES / str(path)).read_bytes()
    if b"kind: Site" not in data:
        assert parse(data).name


def test_relative_leases_say_the_day_they_mean() -> None:
    notice = parse(portal()).notices[0]
    assert (notice.code, notice.params["date"]) == ("ticket.lease_resolved", "2027-02-28")


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("2026-02-28", "ticket.lease_in_past"),
        ("2206-03-01", "ticket.lease_too_far"),
        ("9999年", "ticket.lease_too_far"),
        ("2027-02-30", "document.not_a_date"),
        ("明年", "document.not_a_date"),
        ("6月", "document.not_a_date"),
        ("0个月", "document.not_a_date"),
        ("长期", "document.not_a_date"),
    ],
)
def test_leases_that_cannot_be_meant_are_refused(written: str, code: str) -> None:
    assert codes_of(lambda: parse(portal(("12个月", written)))) == [code]


def test_a_lease_may_end_today() -> None:
    ticket = parse(portal(("12个月", "2026年3月1日")))
    assert ticket.lease is not None
    assert ticket.lease.day == TODAY


def test_unknown_field_comes_with_what_was_probably_meant() -> None:
    problem = problems_of(lambda: parse(portal(("      count: 2", "      cuont: 2"))))[0]
    assert (problem.code, problem.params["suggestion"]) == ("ticket.unknown_field", "count")
    assert problem.where is not None
    assert problem.where.pointer == "/resources/servers/0/cuont"


def test_chinese_unknown_field_gets_a_chinese_suggestion() -> None:
    problem = problems_of(lambda: parse(portal(("      count: 2", "      数两: 2"))))[0]
    assert problem.params["suggestion"] == "数量"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("notes:", "policy: {allow-downtime: any}\nnotes:"),
        ("notes:", "migration: {from: {type: vmware}}\nnotes:"),
        ("notes:", "acceptance: []\nnotes:"),
        ("notes:", "数据: []\nnotes:"),
        ("  servers:", "  load-balancers: []\n  servers:"),
        ("  servers:", "  publish: []\n  servers:"),
        ("  servers:", "  伸缩: []\n  servers:"),
        ("  network: ", "  importance: core\n  network: "),
        ("  network: ", "  users: {internal: 200}\n  network: "),
        ("{level: 2}", "{level: 2, filing: x}"),
        ("  end: 12个月", "  start: 2026-03-01\n  end: 12个月"),
        ("  end: 12个月", "  on-expiry: stop\n  end: 12个月"),
        ("  code: ", "  budget: {code: '1'}\n  code: "),
        ("  code: ", "  approval: {document: x}\n  code: "),
        ("  department: ", "  technical: {name: x}\n  department: "),
        ("      count: 2", "      open: []"),
        ("      count: 2", "      software: [nginx]"),
        ("      count: 2", "      备份: {policy: gold}"),
        ("class: standard}", "class: standard, encrypted: true}"),
        ("action: create", "action: adopt"),
        ("action: create", "action: 移交"),
        ("      count: 2", "      secret-ref: db/password"),
    ],
)
def test_parts_of_the_language_without_a_capability_are_refused_by_name(old: str, new: str) -> None:
    assert codes_of(lambda: parse(portal((old, new)))) == ["ticket.not_offered"]


def test_the_table_knows_every_field_of_the_language_that_is_not_offered() -> None:
    refused = {path for path, field in _walk(TICKET, "") if field.shape is None}
    assert refused == {
        "applicant.technical",
        "project.budget",
        "project.approval",
        "system.importance",
        "system.users",
        "system.mlps.filing",
        "system.mlps.assessment",
        "lease.start",
        "lease.on-expiry",
        "resources.load-balancers",
        "resources.publish",
        "resources.scaling",
        "resources.servers.software",
        "resources.servers.open",
        "resources.servers.backup",
        "resources.servers.disks.encrypted",
        "data",
        "migration",
        "policy",
        "acceptance",
    }


@pytest.mark.parametrize(
    "key", ["password", "root-password", "dbPasswd", "api-key", "apiKey", "token", "secret", "数据库密码", "口令", "private_key"]
)
def test_secret_like_keys_are_refused_anywhere(key: str) -> None:
    assert codes_of(lambda: parse(portal(("      count: 2", f"      {key}: x")))) == ["ticket.secret_refused"]
    assert codes_of(lambda: parse(portal(("{batch:", f"{{{key}: x, batch:")))) == ["ticket.secret_refused"]


@pytest.mark.parametrize("key", ["ssh-keys", "keyboard", "passenger", "on-expiry", "user-data", "tokenised"])
def test_harmless_keys_are_no_secrets(key: str) -> None:
    assert not is_secret_key(key)


def test_a_private_key_in_any_text_is_refused() -> None:
    edited = portal(("notes: 春节前完成上线。", "notes: |\n  -----BEGIN OPENSSH PRIVATE KEY-----\n  abc\n"))
    assert codes_of(lambda: parse(edited)) == ["ticket.secret_refused"]


@pytest.mark.parametrize("mark", ["{{ lookup('pipe','id') }}", "{% if x %}", "{# x #}"])
def test_templates_are_refused(mark: str) -> None:
    assert codes_of(lambda: parse(portal(("title: 市民政局门户网站", f'title: "{mark}"')))) == ["ticket.template_refused"]


def user_data(text: str) -> str:
    block = "      user-data: |\n" + "".join(f"        {line}\n" for line in text.splitlines())
    return portal(("      count: 2\n", block))


@pytest.mark.parametrize(
    "text",
    [
        "#cloud-config\nchpasswd: {expire: false}",
        "#cloud-config\nusers:\n  - name: a\n    plain_text_passwd: x",
        '#cloud-config\n{"pass\\x77ord": x}',
        "#cloud-config\nusers: [{name: a, hashed_passwd: x}]",
        "#!/bin/sh\necho root:x | chpasswd",
        "#!/bin/sh\nDB_PASSWORD=geheim",
        "#!/bin/sh\nexport API_TOKEN = x",
        "#!/bin/sh\nusermod -p x root",
    ],
)
def test_user_data_with_passwords_are_refused(text: str) -> None:
    assert codes_of(lambda: parse(user_data(text))) == ["ticket.user_data_secret"]


@pytest.mark.parametrize(
    "text",
    [
        "#cloud-config\nssh_pwauth: false\npackages: [nginx]\nusers:\n  - {name: ops, lock_passwd: true}",
        "#!/bin/sh\necho 你好，世界 > /var/www/index.html",
        "#cloud-config\nwrite_files:\n  - {path: /a, content: '{{ jinja }}'}",
    ],
)
def test_honest_user_data_are_kept_as_written(text: str) -> None:
    assert parse(user_data(text)).servers[0].user_data == text + "\n"


def test_cloud_config_that_is_no_yaml_is_refused_before_a_server_ignores_it() -> None:
    problem = problems_of(lambda: parse(user_data("#cloud-config\na: [1\nb: 2")))[0]
    assert (problem.code, problem.params["line"]) == ("ticket.user_data_broken", "3")


def test_user_data_have_a_bound() -> None:
    assert parse(user_data("x" * (16 * 1024 - 1))).servers[0].user_data
    assert codes_of(lambda: parse(user_data("x" * 16 * 1024))) == ["document.text_too_long"]


def test_ssh_keys_are_looked_into() -> None:
    assert is_ssh_public_key(ED25519)
    assert is_ssh_public_key(rsa_key(2048))
    assert not is_ssh_public_key(rsa_key(1024))
    assert not is_ssh_public_key("ssh-rsa " + ED25519.split()[1])
    assert not is_ssh_public_key('command="x" ' + ED25519)
    assert not is_ssh_public_key(ED25519.replace("AAAA", "AAA!"))
    assert not is_ssh_public_key("ssh-ed25519 " + base64.b64encode(b"\xff\xff\xff\xffssh").decode())
    assert not is_ssh_public_key("ssh-ed25519")
    edited = portal(("      count: 2", f"      ssh-keys: ['{ED25519}', 'ssh-ed25519 nonsense']"))
    problem = problems_of(lambda: parse(edited))[0]
    assert problem.code == "ticket.bad_ssh_key"
    assert problem.where is not None
    assert problem.where.pointer == "/resources/servers/0/ssh-keys/1"


@pytest.mark.parametrize("written", ["0", "-1", "1001", "2.5", "两台", "1e3", "0x2", "2 匹"])
def test_counts_that_are_none_are_refused(written: str) -> None:
    codes = codes_of(lambda: parse(portal(("count: 2", f"count: {written}"))))
    assert codes[0] in ("document.not_a_number", "document.out_of_range")


@pytest.mark.parametrize(("written", "count"), [("2台", 2), ("２", 2), ("'3'", 3), ("1000", 1000)])
def test_counts_may_be_written_as_people_do(written: str, count: int) -> None:
    assert parse(portal(("count: 2", f"count: {written}"))).servers[0].count == count


def test_a_ticket_for_an_absurd_number_of_machines_is_refused() -> None:
    more = (
        "    - {name: b, count: 1000, size: tiny, image: x}\n    - {name: c, count: 1000, size: tiny, image: x}\n    - name: db"
    )
    assert codes_of(lambda: parse(portal(("    - name: db", more)))) == ["ticket.too_many_machines"]


@pytest.mark.parametrize(
    ("written", "cpu", "memory"),
    [
        ("{cpu: 8核, memory: 32GiB}", 8, 32768),
        ("{cpu: ８, memory: 32G}", 8, 32768),
        ("{处理器: 2, 内存: 512MB}", 2, 512),
        ("{cpu: 4C, memory: 1.5 GiB}", 4, 1536),
    ],
)
def test_exact_sizes_carry_units(written: str, cpu: int, memory: int) -> None:
    server = parse(portal(("size: tiny", f"size: {written}"))).servers[0]
    assert (server.size, server.vcpu_count, server.memory_mib) == (None, cpu, memory)


def test_loose_units_say_which_was_assumed() -> None:
    notices = parse(portal(("size: 1GiB", "size: 1T"))).notices
    assert {(n.code, n.params.get("unit")) for n in notices} >= {("document.unit_assumed", "TiB")}


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("100", "document.not_an_amount"),
        ("512MiB", "document.not_whole_gib"),
        ("0GiB", "document.out_of_range"),
        ("5 Gib/s", "document.not_an_amount"),
        ("999999T", "document.out_of_range"),
    ],
)
def test_disk_sizes_need_a_unit_and_whole_gib(written: str, code: str) -> None:
    assert codes_of(lambda: parse(portal(("size: 1GiB", f"size: {written}")))) == [code]


@pytest.mark.parametrize(
    ("written", "suggestion"),
    [
        ("市民政局门户", "shiminzhengjumenhu"),
        ("门户-二期", "menhu-erqi"),
        ("长沙银行2号", "changshayinhang-2-hao"),
        ("绿化" * 15, "lvhua" * 8),
        ("éé", "mail-service"),
        ("Web_Portal", "web-portal"),
        ("9portal", "portal"),
        ("portal-", "portal"),
        ("a" * 41, "a" * 40),
    ],
)
def test_names_that_cannot_be_used_come_with_one_that_can(written: str, suggestion: str) -> None:
    problem = problems_of(lambda: parse(portal(("name: civil-affairs-portal", f"name: {written}"))))[0]
    assert (problem.code, problem.params["suggestion"]) == ("document.bad_name", suggestion)


def test_full_width_letters_in_a_name_are_plain_ones() -> None:
    assert parse(portal(("name: civil-affairs-portal", "name: ｐｏｒｔａｌ１"))).name == "portal1"


def test_prose_may_hold_chinese_punctuation_but_titles_are_not_folded() -> None:
    ticket = parse(portal(("title: 市民政局门户网站", "title: 门户（一期），ＡＢＣ")))
    assert ticket.title == "门户（一期），ＡＢＣ"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title: 市民政局门户网站", "title: “门户”"),
        ("{name: 张三,", "{name: 张三，李四,"),
        ("environment: test", "environment: test，"),
        ("metadata:\n  name: civil-affairs-portal\n", "metadata：x\nname: y\n"),
    ],
)
def test_full_width_punctuation_where_structure_is_meant_is_a_slip(old: str, new: str) -> None:
    assert "document.full_width" in codes_of(lambda: parse(portal((old, new))))


def test_a_mapping_written_with_a_full_width_colon_is_told_so_not_wrong_type() -> None:
    assert codes_of(lambda: parse(portal(("  code: GZ2026-MZJ-017", "  code：GZ2026-MZJ-017"))))[0] == "document.full_width"


def test_both_spellings_of_one_key_are_an_error() -> None:
    problem = problems_of(lambda: parse(portal(("  action: create", "  action: create\n  操作: 新建"))))[0]
    assert (problem.code, problem.params["first_key"], problem.params["key"]) == ("document.both_spellings", "action", "操作")


def test_all_errors_come_at_once() -> None:
    edited = portal(
        ("count: 2", "count: many"),
        ("size: 1GiB", "size: big"),
        ("environment: test", "environment: prod"),
        ("level: 2", "level: 9"),
    )
    assert codes_of(lambda: parse(edited)) == [
        "document.out_of_range",
        "document.unknown_value",
        "document.not_a_number",
        "document.not_an_amount",
    ]


@pytest.mark.parametrize("gone", ["applicant", "project", "system", "lease", "resources", "metadata", "apiVersion", "kind"])
def test_what_a_create_cannot_do_without_is_asked_for(gone: str) -> None:
    lines = portal().splitlines(keepends=True)
    kept, skipping = [], False
    for line in lines:
        skipping = line.startswith(f"{gone}:") or (skipping and line[:1] == " ")
        kept += [] if skipping else [line]
    found = problems_of(lambda: parse("".join(kept)))
    assert {p.code for p in found} == {"document.missing_field"}
    assert all(str(p.params["field"]).startswith(gone) for p in found)
    assert all(p.where is not None and p.where.pointer.startswith(f"/{gone}") for p in found)


def test_a_create_needs_a_server() -> None:
    lines = portal().split("resources:")[0]
    assert codes_of(lambda: parse(lines + "resources: {servers: []}\n")) == ["document.empty_list"]


@pytest.mark.parametrize(
    ("action", "extra", "code"),
    [
        ("change", "base: 1\nlease: {end: 1年}", "ticket.field_out_of_place"),
        ("change", "title: x", "ticket.unknown_field"),
        ("renew", "lease: {end: 1年}\nresources: {servers: []}", "ticket.field_out_of_place"),
        ("release", "lease: {end: 1年}", "ticket.field_out_of_place"),
        ("release", "base: 3", "ticket.field_out_of_place"),
        ("change", "", "document.missing_field"),
        ("renew", "", "document.missing_field"),
    ],
)
def test_each_action_says_only_what_it_needs(action: str, extra: str, code: str) -> None:
    text = f"apiVersion: allotment/v1\nkind: Ticket\nmetadata: {{name: portal, action: {action}}}\n{extra}\n"
    assert code in codes_of(lambda: parse(text))


def test_absent_has_no_place_in_a_create_and_no_company() -> None:
    assert codes_of(lambda: parse(portal(("      count: 2", "      state: absent")))) == ["ticket.absent_only_in_change"]
    assert codes_of(lambda: change("{name: web, state: 删除, count: 2}")) == ["ticket.absent_with_fields"]


def test_two_servers_of_one_name_are_refused() -> None:
    problem = problems_of(lambda: parse(portal(("- name: db", "- name: web"))))[0]
    assert (problem.code, problem.params["name"]) == ("document.duplicate_item", "web")


@pytest.mark.parametrize("written", ["二级", "2级", "第二级", "２", "二"])
def test_levels_may_be_written_in_chinese(written: str) -> None:
    assert parse(portal(("level: 2", f"level: {written}"))).mlps_level == 2


@pytest.mark.parametrize("written", ["apiVersion: allotment/v2", "apiVersion: 1"])
def test_another_version_is_refused(written: str) -> None:
    assert codes_of(lambda: parse(portal(("apiVersion: allotment/v1", written)))) == ["document.unknown_value"]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("mlps: {level: 2}", "mlps: 2", "document.wrong_type"),
        ("mlps: {level: 2}", "mlps: [2]", "document.wrong_type"),
        ("mlps: {level: 2}", "mlps:", "document.empty_value"),
        ("level: 2", "level: {a: b}", "document.wrong_type"),
        ("level: 2", "level: null", "document.empty_value"),
        ("size: tiny", "size: [tiny]", "document.wrong_type"),
        ("labels: {batch: 2026-first}", "labels: [a]", "document.wrong_type"),
        ("environment: test", "environment: {a: b}", "document.wrong_type"),
        ("name: db", "name: [db]", "document.wrong_type"),
        ("        - {name: data, size: 1GiB, class: standard}", "        name: data", "document.wrong_type"),
        ("        - {name: data, size: 1GiB, class: standard}", "        - data", "document.wrong_type"),
    ],
)
def test_wrong_kinds_of_values_are_refused(old: str, new: str, code: str) -> None:
    assert codes_of(lambda: parse(portal((old, new)))) == [code]


def test_the_root_must_be_a_mapping() -> None:
    assert codes_of(lambda: parse("- a\n- b\n")) == ["document.wrong_type"]
    assert codes_of(lambda: parse("名称：官网\n")) == ["document.full_width"]


def _walk(shape: Shape | None, path: str) -> list[tuple[str, Field]]:
    if isinstance(shape, ListOf):
        return _walk(shape.item, path)
    if isinstance(shape, TextOr):
        return _walk(shape.record, path)
    if not isinstance(shape, Record):
        return []
    found = []
    for field in shape.fields:
        inner = f"{path}.{field.name}".lstrip(".")
        found += [(inner, field), *_walk(field.shape, inner)]
    return found


def test_the_alias_table_names_every_field_and_nothing_else() -> None:
    assert {path for path, _ in _walk(TICKET, "")} == set(aliases.KEYS)


def test_keys_are_one_to_one_within_their_mapping() -> None:
    seen: dict[tuple[str, str], str] = {}
    for path, zh in aliases.KEYS.items():
        parent, _, name = path.rpartition(".")
        assert seen.setdefault((parent, zh), name) == name
        assert zh != name


@pytest.mark.parametrize(
    "table",
    [
        aliases.ACTIONS | aliases.ACTIONS_NOT_OFFERED,
        aliases.ENVIRONMENTS,
        aliases.SPREADS,
        aliases.SIZES,
        aliases.DISK_CLASSES,
    ],
)
def test_values_are_one_to_one(table: dict[str, str]) -> None:
    words = [*table, *table.values()]
    assert len(words) == len(set(words))
