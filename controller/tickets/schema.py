"""The field table of ``allotment/v1`` and the JSON Schema made from it (``python -m controller.tickets.schema`` prints it).

A field stands here when its capability stands behind it. Fields that are part of the language but not of this platform
yet have no shape: they are refused by name, never ignored.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from controller.tickets import aliases
from inventory.importers.kinds import API_VERSION
from inventory.importers.shapes import (
    ALL_PUNCTUATION,
    Amount,
    Block,
    Choice,
    Field,
    ListOf,
    Name,
    Pairs,
    Prose,
    Record,
    Shape,
    TextOr,
    Whole,
    required_schema,
)

SCHEMA_ID = "https://allotment.example/schema/allotment-v1.schema.json"
MAX_USER_DATA_BYTES = 16 * 1024
MAX_COUNT = 1000
MAX_DISK_GIB = 65_536


def _field(path: str, shape: Shape, doc_zh: str, doc_en: str, *, required: bool = False) -> Field:
    name = path.rpartition(".")[2]
    return Field(name=name, shape=shape, zh=aliases.KEYS[path], doc_zh=doc_zh, doc_en=doc_en, required=required)


def _not_offered(*paths: str) -> list[Field]:
    return [Field(name=path.rpartition(".")[2], shape=None, zh=aliases.KEYS[path]) for path in paths]


_S = "resources.servers"
_D = f"{_S}.disks"

_STATE = Choice(labels=aliases.STATES)
_STATE_DOC = (
    "仅用于变更：absent（删除）表示删除此项，数据随之丢失。",
    "In a change only: absent removes this item and its data.",
)
_DISK = Record(
    fields=[
        _field(f"{_D}.name", Name(max_length=20, example="data"), "数据盘名称。", "Name of the data disk.", required=True),
        _field(f"{_D}.state", _STATE, *_STATE_DOC),
        _field(f"{_D}.size", Amount(minimum=1, maximum=MAX_DISK_GIB, unit="GiB"), "容量，整 GiB。", "Size in whole GiB."),
        _field(f"{_D}.class", Prose(max_length=40), "磁盘类别，默认 standard（标准）。", "Disk class, standard by default."),
        *_not_offered(f"{_D}.encrypted"),
    ]
)
_ROOT_DISK = Record(
    fields=[
        _field(f"{_S}.root-disk.size", Amount(minimum=1, maximum=16_384, unit="GiB"), "系统盘容量。", "Size of the root disk."),
        _field(f"{_S}.root-disk.class", Prose(max_length=40), "系统盘类别。", "Class of the root disk."),
    ]
)
_EXACT_SIZE = Record(
    fields=[
        _field(
            f"{_S}.size.cpu",
            Whole(minimum=1, maximum=512, suffixes=("核", "c", "vcpu")),
            "虚拟处理器数。",
            "Number of virtual CPUs.",
            required=True,
        ),
        _field(
            f"{_S}.size.memory",
            Amount(minimum=64, maximum=16 * 1024 * 1024, unit="MiB"),
            "内存，须写单位。",
            "Memory, with its unit.",
            required=True,
        ),
    ]
)
_SERVER = Record(
    fields=[
        _field(f"{_S}.name", Name(max_length=24, example="web"), "服务器组名称。", "Name of the server group.", required=True),
        _field(f"{_S}.state", _STATE, *_STATE_DOC),
        _field(
            f"{_S}.count",
            Whole(minimum=1, maximum=MAX_COUNT, suffixes=("台", "个")),
            "台数，默认 1；各台名为 名称-1、名称-2……",
            "How many, 1 by default; they are called name-1, name-2 …",
        ),
        _field(
            f"{_S}.size",
            TextOr(text=Prose(max_length=40), record=_EXACT_SIZE),
            "规格名称（small 或 小型），或 {cpu, memory}。",
            "Name of a size, or {cpu, memory}.",
        ),
        _field(f"{_S}.image", Prose(max_length=80), "镜像名称。", "Name of the image."),
        _field(f"{_S}.arch", Choice(labels=aliases.ARCHS), "处理器架构，默认随镜像。", "Architecture; the image's by default."),
        _field(f"{_S}.root-disk", _ROOT_DISK, "系统盘，默认随规格与镜像。", "Root disk; from size and image by default."),
        _field(f"{_S}.disks", ListOf(item=_DISK, key="name", maximum=16), "每台的数据盘。", "Data disks of every server."),
        _field(
            f"{_S}.spread",
            Choice(labels=aliases.SPREADS),
            "同组服务器的分散或集中要求，默认不限；“尽量”（soft）只是愿望。",
            "What servers of the group must not share, or must share (same); soft rules are wishes; none by default.",
        ),
        _field(
            f"{_S}.spread-max",
            Whole(minimum=1, maximum=MAX_COUNT, suffixes=("台",)),
            "分散时同一处（主机、机架、机房或数据中心）最多几台，默认 1。",
            "Servers of the group that may share one domain when they are spread; 1 by default.",
        ),
        _field(
            f"{_S}.networks",
            ListOf(item=Name(max_length=24, example="default"), minimum=1, maximum=4),
            "所在的部门网络，默认 default。",
            "Department networks it is in; default by default.",
        ),
        _field(
            f"{_S}.traits",
            ListOf(item=Name(max_length=40, example="ssd"), maximum=16),
            "主机必须具备的特性，由平台登记；规格要求的特性自动加上。",
            "What a host must have, by names the platform lists; those of the size come by themselves.",
        ),
        _field(
            f"{_S}.user-data",
            Block(max_bytes=MAX_USER_DATA_BYTES),
            "首次启动时执行的 cloud-init 数据，随工单保存，不得含口令。",
            "cloud-init data for the first boot; kept with the ticket, without passwords.",
        ),
        _field(f"{_S}.ssh-keys", ListOf(item=Prose(max_length=4096), maximum=32), "登录公钥。", "Public keys for login."),
        *_not_offered(f"{_S}.software", f"{_S}.open", f"{_S}.backup"),
    ]
)
_METADATA = Record(
    fields=[
        _field(
            "metadata.name",
            Name(max_length=40, example="mail-service"),
            "信息系统名称：小写英文字母、数字、连字符。",
            "Name of the system.",
            required=True,
        ),
        _field("metadata.title", Prose(allowed=ALL_PUNCTUATION), "中文显示名称。", "Display name in any language."),
        _field(
            "metadata.action",
            Choice(labels=aliases.ACTIONS, not_offered=aliases.ACTIONS_NOT_OFFERED),
            "要做什么。",
            "What to do.",
            required=True,
        ),
        _field("metadata.labels", Pairs(), "自由标签。", "Free labels."),
    ]
)
_CONTACT = Record(
    fields=[
        _field("applicant.contact.name", Prose(max_length=60), "姓名。", "Name.", required=True),
        _field(
            "applicant.contact.phone",
            Prose(max_length=32, pattern=r"[+0-9][0-9 ()-]{4,30}", example="020-81234567"),
            "电话，建议加引号。",
            "Telephone, best in quotes.",
        ),
        _field(
            "applicant.contact.email",
            Prose(
                max_length=120,
                pattern=r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}",
                example="name@example.gov.cn",
            ),
            "电子邮箱。",
            "E-mail address.",
        ),
    ]
)
_APPLICANT = Record(
    fields=[
        _field("applicant.department", Prose(), "部门代码或名称。", "Code or name of the department."),
        _field(
            "applicant.owner",
            Prose(max_length=60),
            "系统负责人，默认联系人。",
            "Who answers for the system; the contact by default.",
        ),
        _field("applicant.contact", _CONTACT, "联系人。", "Contact."),
        *_not_offered("applicant.technical"),
    ]
)
_PROJECT = Record(
    fields=[
        _field("project.code", Prose(max_length=64), "批准的项目编号。", "Approved project code."),
        _field(
            "project.reservation",
            Prose(max_length=64),
            "使用本项目的这份预留（名称或编号）。",
            "Draw on this reservation of the project (name or id).",
        ),
        *_not_offered("project.budget", "project.approval"),
    ]
)
_MLPS = Record(
    fields=[
        _field(
            "system.mlps.level",
            Whole(minimum=1, maximum=5, suffixes=("级",), words=aliases.MLPS_WORDS),
            "等级保护级别，1 至 5。",
            "MLPS level, 1 to 5.",
            required=True,
        ),
        *_not_offered("system.mlps.filing", "system.mlps.assessment"),
    ]
)
_SYSTEM = Record(
    fields=[
        _field("system.network", Prose(max_length=60), "网络区域的代码或名称。", "Code or name of the network zone."),
        _field("system.mlps", _MLPS, "等级保护。", "Multi-level protection scheme."),
        *_not_offered("system.importance", "system.users"),
    ]
)
_LEASE = Record(
    fields=[
        _field(
            "lease.end",
            Prose(max_length=40),
            "最后一天：2027-02-28、2027年2月28日，或从今天起的 12个月、1年。",
            "Last day: a date, or a time from today such as 12个月 or 1 year.",
            required=True,
        ),
        *_not_offered("lease.start", "lease.on-expiry"),
    ]
)
_RESOURCES = Record(
    fields=[
        _field(_S, ListOf(item=_SERVER, key="name", maximum=200), "服务器。", "Servers."),
        *_not_offered("resources.load-balancers", "resources.publish", "resources.scaling"),
    ]
)

#: The whole document.
TICKET = Record(
    fields=[
        _field(
            "apiVersion", Choice(labels={API_VERSION: ""}), "工单语言版本。", "Version of the ticket language.", required=True
        ),
        _field("kind", Choice(labels=aliases.KIND), "文件类型。", "Kind of document.", required=True),
        _field("metadata", _METADATA, "基本信息。", "What this is about.", required=True),
        _field("applicant", _APPLICANT, "谁申请。", "Who asks."),
        _field("project", _PROJECT, "项目。", "Project."),
        _field("system", _SYSTEM, "系统的安全属性。", "Security properties of the system."),
        _field("lease", _LEASE, "租期。", "Lease."),
        _field(
            "environment",
            Choice(labels=aliases.ENVIRONMENTS),
            "环境，默认 production（生产）。",
            "Environment; production by default.",
        ),
        _field(
            "base",
            Whole(minimum=1, maximum=999_999_999),
            "仅用于变更：所依据的系统版本号。",
            "In a change only: the revision it is written against.",
        ),
        _field("resources", _RESOURCES, "要用的资源。", "Resources."),
        _field("notes", Block(max_bytes=4096), "备注，不影响处理。", "Notes; without effect."),
        *_not_offered("data", "migration", "policy", "acceptance"),
    ]
)

#: What each action cannot do without; the rest has a default.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "create": (
        "applicant.department",
        "applicant.contact",
        "project.code",
        "system.network",
        "system.mlps",
        "lease.end",
        _S,
    ),
    "change": ("base",),
    "renew": ("lease.end",),
    "release": (),
}
#: What each action has no use for: saying it is a misunderstanding, so it is refused.
OUT_OF_PLACE: Mapping[str, tuple[str, ...]] = {
    "create": ("base",),
    "change": ("lease",),
    "renew": ("base", "project.reservation", "system", "environment", "resources"),
    "release": ("base", "project.reservation", "system", "environment", "resources", "lease"),
}


def field_at(path: str) -> Field:
    """Return the field at a path of records, for example ``system.mlps``."""
    record = TICKET
    names = path.split(".")
    for name in names[:-1]:
        shape = _by_name(record, name).shape
        assert isinstance(shape, Record)
        record = shape
    return _by_name(record, names[-1])


def _by_name(record: Record, name: str) -> Field:
    return next(f for f in record.fields if f.name == name)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a ticket."""
    schema = TICKET.to_schema()
    schema["allOf"] = [*schema["allOf"], *(_action_schema(action) for action in REQUIRED)]
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "allotment/v1 工单 | ticket",
    }
    return head | schema


def _nested(names: Iterable[str], leaf: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that asks for ``leaf`` below a path, whichever way its keys are written."""
    path = list(names)
    schema = leaf
    for depth in range(len(path), 0, -1):
        found = field_at(".".join(path[:depth]))
        schema = {"anyOf": [{"required": [s], "properties": {s: schema}} for s in found.spellings()]}
    return schema


def _action_schema(action: str) -> dict[str, Any]:
    is_action = _nested(["metadata", "action"], {"enum": [action, aliases.ACTIONS[action]]})
    needed = []
    for path in REQUIRED[action]:
        *parents, _ = path.split(".")
        needed.append(_nested(parents, required_schema(field_at(path))))
    refused = [{"not": {"required": [s]}} for path in OUT_OF_PLACE[action] for s in field_at(path).spellings()]
    return {"if": is_action, "then": {"allOf": [*needed, *refused]}}


def schema_text() -> str:
    """Return the schema as it is published in ``docs/schema``."""
    return json.dumps(json_schema(), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(schema_text())
