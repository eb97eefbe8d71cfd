"""The price book document (``kind: PriceBook``): bytes in, a ``BookVersion`` out, or everything that is wrong at once.

Days become the first second of the day in the platform's zone, departments become ids, prices whole micro-yuan, committed
amounts base units of their meter. Nothing is looked up again when the version is applied.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from inventory.domain.clock import first_second
from inventory.domain.errors import Invalid
from inventory.importers.amounts import MONEY, nearest_first
from inventory.importers.document import excerpt, refuse
from inventory.importers.kinds import entry as _f
from inventory.importers.kinds import head, read
from inventory.importers.shapes import Choice, Day, Decimal, ListOf, Prose, Reading, Record, Whole
from metering.books import BookVersion, Commitment, Discount, EntryRate, Mode, Rate, Step
from metering.meters import STATES, Counting, Meter, is_timed, meter_of, meter_written

#: Dearer than this per unit and hour is a slip of the pen (yuan with six places).
_PRICE_MAX = 10**12
_ENTRY_PRICE_MAX = 10**15
_ALL_METERS = "*"


_PRICE = Decimal(places=6, maximum=_PRICE_MAX, units=MONEY)
_METER = Prose(max_length=60)
_STEP = Record(fields=[_f("up-to", Whole(minimum=1, maximum=10**12), "至"), _f("price", _PRICE, "单价", required=True)])
_TIERS = Record(
    fields=[
        _f("mode", Choice(labels={"graduated": "分段", "volume": "总量"}), "方式", required=True),
        _f("steps", ListOf(item=_STEP, minimum=1, maximum=20), "档", required=True),
    ]
)
_PRICE_LINE = Record(
    fields=[
        _f("meter", _METER, "计量项", required=True),
        _f("unit", Prose(max_length=40), "单位", required=True),
        _f("code", Prose(max_length=64), "服务编码"),
        _f("price", Decimal(places=6, maximum=_ENTRY_PRICE_MAX, units=MONEY), "单价"),
        _f("states", Record(fields=[_f(state, _PRICE, required=True) for state in STATES]), "状态"),
        _f("tiers", _TIERS, "阶梯"),
        _f("free", Whole(minimum=1, maximum=10**12), "免费额度"),
    ]
)
_DISCOUNT = Record(
    fields=[
        _f("department", Prose(max_length=64), "部门", required=True),
        _f("meter", _METER, "计量项", required=True),
        _f("percent", Decimal(places=2, maximum=10_000), "百分比", required=True),
        _f("from", Day(), "起"),
        _f("to", Day(), "止"),
    ]
)
_COMMITMENT = Record(
    fields=[
        _f("name", Prose(max_length=64), "名称", required=True),
        _f("department", Prose(max_length=64), "部门", required=True),
        _f("project", Prose(max_length=64), "项目"),
        _f("meter", _METER, "计量项", required=True),
        _f("amount", Whole(minimum=1, maximum=10**9), "数量", required=True),
        _f("price", _PRICE, "单价", required=True),
        _f("from", Day(), "起", required=True),
        _f("to", Day(), "止", required=True),
    ]
)
BOOK = Record(
    fields=[
        *head("PriceBook", "价格册"),
        _f("name", Prose(max_length=64), "名称", required=True),
        _f("valid-from", Day(), "生效日", required=True),
        _f("valid-to", Day(), "失效日"),
        _f("replaces", Prose(max_length=64), "替代"),
        _f("prices", ListOf(item=_PRICE_LINE, minimum=1, maximum=500), "价格", required=True),
        _f("discounts", ListOf(item=_DISCOUNT, maximum=1000), "折扣"),
        _f("commitments", ListOf(item=_COMMITMENT, maximum=500, key="name"), "承诺用量"),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BookDocument:
    """A price book that was read."""

    name: str
    sha256: str
    #: Id of the version it ends where it begins; empty: none.
    replaces: str
    version: BookVersion


def read_book(
    data: bytes,
    *,
    id_: str,
    departments: Mapping[str, str],
    zone: ZoneInfo,
    projects: Mapping[str, tuple[str, str]] | None = None,
) -> BookDocument:
    """Read a price book.

    Args:
        data: the bytes as submitted.
        id_: id the version will have.
        departments: ids by code.
        projects: id and department's id by code.
        zone: whose midnights days begin at.

    Raises:
        Invalid: with every problem that was found.
    """
    values, reading, sha256 = read(BOOK, data, unknown_field="book.unknown_field")
    builder = _Builder(values, departments, zone, reading, projects or {})
    version = builder.version(id_)
    if reading.problems:
        raise refuse(reading.problems)
    return BookDocument(name=values["name"], sha256=sha256, replaces=values.get("replaces", ""), version=version)


@dataclass(slots=True)
class _Builder:
    """Builds the version; problems go to ``reading`` with the place of what is wrong."""

    values: Mapping[str, Any]
    departments: Mapping[str, str]
    zone: ZoneInfo
    reading: Reading
    projects: Mapping[str, tuple[str, str]]

    def version(self, id_: str) -> BookVersion:
        from_s, to_s = self._window("", self.values, "valid-from", "valid-to")
        assert from_s is not None, "required"
        rates: list[Rate] = []
        entry_rates: list[EntryRate] = []
        seen: set[str] = set()
        for path, line in self._items("prices"):
            meter = self._priced_meter(path, line, seen)
            if meter is None:
                continue
            if meter.counting is Counting.ENTRY:
                entry_rates += self._entry_rate(path, line)
            else:
                rates += self._rates(path, line, meter)
        priced = {rate.meter for rate in rates}
        return BookVersion(
            id=id_,
            from_s=from_s,
            to_s=to_s,
            rates=tuple(sorted(rates, key=lambda r: (r.meter, r.state))),
            entry_rates=tuple(sorted(entry_rates, key=lambda r: r.meter)),
            discounts=tuple(self._discounts(priced | {r.meter for r in entry_rates}, from_s, to_s)),
            commitments=tuple(self._commitments({m for m in priced if _may_be_committed(m)}, from_s, to_s)),
        )

    def _items(self, section: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        return ((f"{section}.{index}", item) for index, item in enumerate(self.values.get(section, [])))

    def _fail(self, code: str, path: str, /, **params: Any) -> None:
        places = self.reading.places
        self.reading.fail(code, places.get(path) or places.get(path.rpartition(".")[0]), field=path, **params)

    def _window(self, path: str, item: Mapping[str, Any], first: str, last: str) -> tuple[int | None, int | None]:
        from_s, to_s = self._second(item.get(first)), self._second(item.get(last))
        if from_s is not None and to_s is not None and to_s <= from_s:
            self._fail("book.window_empty", f"{path}.{last}".lstrip("."), start=str(item[first]), end=str(item[last]))
        return from_s, to_s

    def _second(self, day: date | None) -> int | None:
        return None if day is None else first_second(day, self.zone)

    def _meter(self, path: str, written: str) -> tuple[str, Meter] | None:
        name = meter_written(written)
        try:
            return name, meter_of(name)
        except Invalid as error:
            self._fail(error.code, f"{path}.meter", **{**error.params, "meter": excerpt(written)})
            return None

    def _priced_meter(self, path: str, line: Mapping[str, Any], seen: set[str]) -> Meter | None:
        found = self._meter(path, line["meter"])
        if found is None:
            return None
        name, meter = found
        if name in seen:
            self._fail("book.meter_twice", f"{path}.meter", meter=excerpt(line["meter"]))
        seen.add(name)
        units = _units(meter)
        if line["unit"] not in units:
            written = excerpt(line["unit"])
            self._fail("book.wrong_unit", f"{path}.unit", meter=line["meter"], written=written, unit=" / ".join(units))
            return None
        return meter

    def _rates(self, path: str, line: Mapping[str, Any], meter: Meter) -> Iterator[Rate]:
        given = [key for key in ("price", "states", "tiers") if key in line]
        if len(given) != 1:
            self._fail("book.one_price", path, meter=line["meter"])
            return
        if "states" in line and (meter.is_entered or meter.counting is Counting.COUNT):
            # Nothing of it is ever allocated, running or stopped: a price of a state would count for nothing.
            self._fail("book.states_unknown", f"{path}.states", meter=line["meter"])
            return
        if "free" in line and given != ["price"]:
            self._fail("book.free_with_price", f"{path}.free", meter=line["meter"])
        if line.get("price", 0) > _PRICE_MAX:
            self._fail("book.price_absurd", f"{path}.price", meter=line["meter"])
        name = meter_written(line["meter"])
        for state, mode, steps in self._priced_states(path, line, meter):
            yield Rate(meter=name, state=state, mode=mode, steps=steps, code=line.get("code", ""))

    def _priced_states(self, path: str, line: Mapping[str, Any], meter: Meter) -> Iterator[tuple[str, Mode, tuple[Step, ...]]]:
        if "states" in line:
            for state, micro in sorted(line["states"].items()):
                yield state, Mode.FLAT, (Step(up_to=None, micro_yuan=micro),)
            return
        mode = Mode.FLAT
        steps: tuple[Step, ...] = (Step(up_to=None, micro_yuan=line.get("price", 0)),)
        if "free" in line:
            mode, steps = Mode.GRADUATED, (Step(up_to=line["free"], micro_yuan=0), *steps)
        elif "tiers" in line:
            mode = Mode(line["tiers"]["mode"])
            steps = tuple(Step(up_to=s.get("up-to"), micro_yuan=s["price"]) for s in line["tiers"]["steps"])
            self._check_steps(f"{path}.tiers.steps", steps)
        for state in sorted(meter.charged_states):
            yield state, mode, steps

    def _check_steps(self, path: str, steps: tuple[Step, ...]) -> None:
        last = 0
        for index, step in enumerate(steps):
            is_end = index == len(steps) - 1
            if (step.up_to is None) != is_end:
                self._fail("book.step_end", f"{path}.{index}", number=index + 1)
            elif step.up_to is not None and step.up_to <= last:
                self._fail("book.step_order", f"{path}.{index}.up-to", number=index + 1, up_to=step.up_to, before=last)
            last = step.up_to or last

    def _entry_rate(self, path: str, line: Mapping[str, Any]) -> Iterator[EntryRate]:
        strange = [key for key in ("states", "tiers", "free") if key in line]
        if strange or "price" not in line:
            self._fail("book.entry_price", path, meter=line["meter"])
            return
        per = "month" if line["unit"].endswith("-month") else "once"
        yield EntryRate(meter=line["meter"], per=per, micro_yuan=line["price"], code=line.get("code", ""))

    def _department(self, path: str, code: str) -> str | None:
        if code not in self.departments:
            suggestion, offered = nearest_first(code, sorted(self.departments))
            params = {"written": excerpt(code), "suggestion": suggestion, "offered": offered}
            self._fail("book.unknown_department", f"{path}.department", **params)
        return self.departments.get(code)

    def _project(self, path: str, code: str | None, department_id: str) -> str:
        """Return the id of a project of a department; empty where none is named."""
        if code is None:
            return ""
        own = {c: id_ for c, (id_, home) in self.projects.items() if home == department_id}
        if code not in own:
            suggestion, offered = nearest_first(code, sorted(own))
            params = {"written": excerpt(code), "suggestion": suggestion, "offered": offered}
            self._fail("book.unknown_project", f"{path}.project", **params)
        return own.get(code, "")

    def _applied_meter(self, path: str, written: str, priced: set[str]) -> str | None:
        found = self._meter(path, written)
        if found is None:
            return None
        if found[0] not in priced:
            self._fail("book.meter_unpriced", f"{path}.meter", meter=excerpt(written))
            return None
        return found[0]

    def _discounts(self, priced: set[str], from_s: int, to_s: int | None) -> Iterator[Discount]:
        held: list[Discount] = []
        for path, item in self._items("discounts"):
            department_id = self._department(path, item["department"])
            meter = "" if item["meter"] == _ALL_METERS else self._applied_meter(path, item["meter"], priced)
            first_s, last_s = self._window(path, item, "from", "to")
            first_s, last_s = from_s if first_s is None else first_s, to_s if last_s is None else last_s
            self._check_inside(path, first_s, last_s, from_s, to_s)
            if department_id is None or meter is None:
                continue
            found = Discount(department_id=department_id, meter=meter, basis_points=item["percent"], from_s=first_s, to_s=last_s)
            if any((d.department_id, d.meter) == (department_id, meter) and _meet(d, found) for d in held):
                self._fail("book.discount_twice", path, department=item["department"], meter=item["meter"])
            held.append(found)
            yield found

    def _commitments(self, priced: set[str], from_s: int, to_s: int | None) -> Iterator[Commitment]:
        held: list[Commitment] = []
        for path, item in self._items("commitments"):
            department_id = self._department(path, item["department"])
            meter = self._applied_meter(path, item["meter"], priced)
            first_s, last_s = self._window(path, item, "from", "to")
            assert first_s is not None, "required"
            assert last_s is not None, "required"
            self._check_inside(path, first_s, last_s, from_s, to_s)
            if department_id is None or meter is None:
                continue
            found = Commitment(
                name=item["name"],
                department_id=department_id,
                meter=meter,
                amount=item["amount"] * meter_of(meter).base_per_unit,
                micro_yuan_per_unit_hour=item["price"],
                from_s=first_s,
                to_s=last_s,
                project_id=self._project(path, item.get("project"), department_id),
            )
            if any((c.department_id, c.meter) == (department_id, meter) and _meet(c, found) for c in held):
                self._fail("book.commitment_twice", path, department=item["department"], meter=item["meter"])
            held.append(found)
            yield found

    def _check_inside(self, path: str, first_s: int, last_s: int | None, from_s: int, to_s: int | None) -> None:
        if first_s < from_s or (to_s is not None and (last_s is None or last_s > to_s)):
            self._fail("book.outside_window", path)


def _may_be_committed(meter: str) -> bool:
    """Tell whether a department may commit to a meter: not to what is passed, nor to what is entered afterwards."""
    return is_timed(meter) and not meter_of(meter).is_entered


def _units(meter: Meter) -> tuple[str, ...]:
    """Return how the unit of a price may be written."""
    unit = "vcpu" if meter.unit == "vCPU" else meter.unit
    if meter.counting is Counting.LEVEL:
        return (f"{unit}-hour",)
    return (unit, f"{unit}-month") if meter.counting is Counting.ENTRY and unit == "item" else (unit,)


def _meet(one: Discount | Commitment, other: Discount | Commitment) -> bool:
    return (other.to_s is None or one.from_s < other.to_s) and (one.to_s is None or other.from_s < one.to_s)
