"""The fields of a site document and their shapes; what a field alone can tell is checked by its shape."""

from dataclasses import dataclass
from typing import Any

from inventory.domain.drift import DriftAnswer, DriftKind
from inventory.domain.host import LOSS_AFTER_LEAST_S, LOSS_MOST_MAX, RESERVE_COUNT_MAX, ReserveLevel
from inventory.domain.layout import NODES_MAX
from inventory.domain.organisation import Billing
from inventory.importers.amounts import MONEY, fold, mib, whole
from inventory.importers.document import Node, excerpt
from inventory.importers.kinds import entry as _f
from inventory.importers.kinds import head
from inventory.importers.shapes import (
    ALL_PUNCTUATION,
    Amount,
    Choice,
    Day,
    Decimal,
    Field,
    ListOf,
    Name,
    Prose,
    Reading,
    Record,
    Whole,
    read_text,
)
from inventory.importers.site_records import Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class _QuotaLimit:
    """A limit: an amount, or one of the two words. Memory and disk carry their unit."""

    #: ``MiB`` | ``GiB`` | empty for a count.
    unit: str

    def read(self, node: Node, path: str, reading: Reading) -> Limit | None:
        text = read_text(node, path, reading)
        if text is None:
            return None
        word = fold(text)
        if word == "unlimited":
            return "unlimited"
        if word == "inherit":
            return "inherit"
        amount = self._amount(word)
        if amount is None:
            reading.fail("site.bad_limit", node.where, field=path, written=excerpt(text), unit=self.unit or "—")
        return amount

    def _amount(self, word: str) -> int | None:
        if not self.unit or word == "0":
            return whole(word)
        found = mib(word)
        if found is None:
            return None
        amount, rest = divmod(found[0], 1024 if self.unit == "GiB" else 1)
        return None if rest else amount

    def to_schema(self) -> dict[str, Any]:
        return {"anyOf": [{"enum": ["unlimited", "inherit"]}, {"type": ["string", "integer"]}]}


_CODE = Name(max_length=40, example="civil-affairs")
_TEXT = Prose(allowed=ALL_PUNCTUATION)
_LEVEL = Whole(minimum=1, maximum=5)
_WATTS = Whole(minimum=0, maximum=100_000)
_YES_NO = Choice(labels={"true": "是", "false": "否"})
_BILLING = Choice(labels={Billing.CHARGEBACK.value: "计费", Billing.SHOWBACK.value: "仅展示"})
_OVERCOMMIT = Decimal(places=3, minimum=1, maximum=100_000)
_OVERCOMMITS = Record(fields=[_f("vcpu", _OVERCOMMIT), _f("memory", _OVERCOMMIT)])
_CPU_AND_MEMORY = Record(
    fields=[
        _f("cpu", Whole(minimum=0, maximum=100_000, suffixes=("核", "vcpu"))),
        _f("memory", Amount(minimum=0, maximum=1024**3, unit="MiB")),
    ]
)
#: N+1: ``survive: rack`` holds one rack for the loss of any other, ``count: 2`` two for the loss of any two.
_RESERVE = Record(
    fields=[
        _f("survive", Choice(labels={level.value: "" for level in ReserveLevel}), required=True),
        _f("count", Whole(minimum=1, maximum=RESERVE_COUNT_MAX)),
    ]
)
_ANSWER = Choice(labels={DriftAnswer.REPAIR.value: "修复", DriftAnswer.REPORT.value: "只报告"})
#: What is done about drift on the hosts of a pool, where that is not what the platform does.
_DRIFT = Record(fields=[_f(kind.value, _ANSWER) for kind in DriftKind])
#: Hosts that do not answer are given up by themselves: after how many minutes, while at most how many are silent.
_LOSS = Record(
    fields=[
        _f("after-minutes", Whole(minimum=LOSS_AFTER_LEAST_S // 60, maximum=7 * 24 * 60), required=True),
        _f("most", Whole(minimum=1, maximum=LOSS_MOST_MAX)),
    ]
)
#: Processors of a host as Linux writes them: ``0-3,8``.
_CPUS = Prose(max_length=1000, pattern=r"[0-9]+(-[0-9]+)?( ?, ?[0-9]+(-[0-9]+)?)*", example="4-15,20-31")
_TRAITS = ListOf(item=Name(max_length=40, example="ssd"), maximum=16)
#: Sizes of huge pages there are: 2 MiB and 1 GiB on x86, 64 KiB, 32 MiB and 512 MiB besides on ARM.
PAGE_SIZES_KIB = {"64KiB": 64, "2MiB": 2048, "32MiB": 32_768, "512MiB": 524_288, "1GiB": 1_048_576}
DISK_CLASS = Name(max_length=40, example="standard")
_PATH = Prose(max_length=255, pattern=r"(?!.*\.\.)[A-Za-z0-9_./+-]+", example="images/debian-12.qcow2")
_ARCH = Choice(labels={"x86_64": "", "aarch64": ""})


def _many(*fields: Field, key: str = "") -> ListOf:
    return ListOf(item=Record(fields=fields), key=key, maximum=5000)


SITE = Record(
    fields=[
        *head("Site"),
        _f(
            "departments",
            _many(
                _f("code", _CODE, required=True),
                _f("name", _TEXT, required=True),
                _f("parent", _CODE),
                _f("billing", _BILLING),
                key="code",
            ),
        ),
        _f(
            "projects",
            _many(
                _f("code", Prose(max_length=64), required=True),
                _f("name", _TEXT, required=True),
                _f("department", _CODE, required=True),
                _f("budget-code", Prose(max_length=40), required=True),
                _f("open", _YES_NO),
                key="code",
            ),
        ),
        _f(
            "zones",
            _many(
                _f("code", _CODE, required=True),
                _f("name", _TEXT, required=True),
                _f("network-class", _CODE, required=True),
                _f("mlps-max", _LEVEL, required=True),
                _f("address-range", Prose(max_length=18), required=True),
                _f("segment-prefix", Whole(minimum=8, maximum=29)),
                key="code",
            ),
        ),
        _f(
            "pools",
            _many(
                _f("code", _CODE, required=True),
                _f("name", _TEXT, required=True),
                _f("zone", _CODE, required=True),
                _f("driver", _CODE, required=True),
                _f("mlps-max", _LEVEL, required=True),
                _f("overcommit", _OVERCOMMITS),
                _f("reserve", _RESERVE),
                _f("placement", _CODE),
                _f("drift", _DRIFT),
                _f("lost-hosts", _LOSS),
                key="code",
            ),
        ),
        _f(
            "hosts",
            _many(
                _f("name", Name(max_length=63, example="rack3-07"), required=True),
                _f("pool", _CODE, required=True),
                _f("connection", Prose(max_length=200), required=True),
                *(_f(name, _TEXT) for name in ("site", "room", "rack", "vendor", "owner")),
                _f("warranty", Day()),
                _f("watts-idle", _WATTS),
                _f("watts-most", _WATTS),
                _f("dedicated-cpus", _CPUS),
                _f("shared-cpus", _CPUS),
                _f("traits", _TRAITS),
                _f("reserved", _CPU_AND_MEMORY),
                _f("capacity", _CPU_AND_MEMORY),
                _f("overcommit", _OVERCOMMITS),
                _f(
                    "storage",
                    _many(
                        _f("name", Name(max_length=63, example="allotment"), required=True),
                        _f("class", DISK_CLASS, required=True),
                        _f("path", _PATH),
                        _f("overcommit", _OVERCOMMIT),
                        key="name",
                    ),
                ),
                key="name",
            ),
        ),
        _f(
            "sizes",
            _many(
                _f("name", _CODE, required=True),
                _f("vcpu", Whole(minimum=1, maximum=512, suffixes=("核",)), required=True),
                _f("memory", Amount(minimum=64, maximum=16 * 1024 * 1024, unit="MiB"), required=True),
                _f("root-disk", Amount(minimum=1, maximum=16_384, unit="GiB"), required=True),
                _f("cpus", Choice(labels={"shared": "共享", "dedicated": "专用"})),
                _f("huge-pages", Choice(labels=dict.fromkeys(PAGE_SIZES_KIB, ""))),
                _f("numa-nodes", Whole(minimum=1, maximum=NODES_MAX)),
                _f("traits", _TRAITS),
                key="name",
            ),
        ),
        _f(
            "images",
            _many(
                _f(
                    "name",
                    Prose(max_length=80, pattern=r"[a-z0-9][a-z0-9._-]{0,78}[a-z0-9]", example="debian-12"),
                    required=True,
                ),
                _f("title", _TEXT),
                _f("arch", _ARCH, required=True),
                _f("file", _PATH),
                _f("url", Prose(max_length=1000)),
                _f("sha256", Prose(max_length=64, pattern=r"[0-9a-f]{64}", example="e3b0c442…（64 位十六进制）")),
                _f("kernel", _PATH),
                _f("initrd", _PATH),
                _f("kernel-arguments", Prose(max_length=500)),
                key="name",
            ),
        ),
        _f(
            "quotas",
            _many(
                _f("department", _CODE),
                _f("project", Prose(max_length=64)),
                _f("vcpu", _QuotaLimit(unit="")),
                _f("memory", _QuotaLimit(unit="MiB")),
                _f("disk", _QuotaLimit(unit="GiB")),
                _f("instances", _QuotaLimit(unit="")),
                _f("volumes", _QuotaLimit(unit="")),
                _f("addresses", _QuotaLimit(unit="")),
            ),
        ),
        _f(
            "prices",
            _many(
                _f("meter", Prose(max_length=60), required=True),
                _f("unit", Prose(max_length=40), required=True),
                _f("price", Decimal(places=6, units=MONEY), required=True),
                _f("valid-from", Day(), required=True),
            ),
        ),
    ]
)
