"""The price book document: what it becomes, and everything wrong with it at once, with line and column."""

from zoneinfo import ZoneInfo

import pytest

from inventory.domain.errors import Invalid
from metering.book_document import BookDocument, read_book
from metering.books import BookVersion, Mode, Step

SHANGHAI = ZoneInfo("Asia/Shanghai")
DEPARTMENTS = {"civil": "dept_civil", "water": "dept_water"}
HEAD = "apiVersion: allotment/v1\nkind: PriceBook\nname: city\nvalid-from: 2027-01-01\nvalid-to: 2028-01-01\n"


def read(text: str) -> BookDocument:
    return read_book(text.encode(), id_="book_1", departments=DEPARTMENTS, zone=SHANGHAI)


def prices(*lines: str) -> str:
    return HEAD + "prices:\n" + "".join(f"  - {line}\n" for line in lines)


TIERS = '{mode: graduated, steps: [{up-to: 5, price: "1"}, {up-to: 5, price: "1"}, {price: "0"}]}'
CPU = '{meter: vcpu, unit: vcpu-hour, price: "0.0764"}'


def problems(text: str) -> list[tuple[str, int | None, int | None]]:
    with pytest.raises(Invalid) as caught:
        read(text)
    return [(p.code, p.where.line if p.where else None, p.where.column if p.where else None) for p in caught.value.problems]


def test_one_price_holds_in_every_charged_state() -> None:
    version = read(prices(CPU)).version
    assert [(r.meter, r.state, r.mode, r.steps) for r in version.rates] == [
        ("vcpu", state, Mode.FLAT, (Step(up_to=None, micro_yuan=76_400),)) for state in ("running", "stopped")
    ]
    assert (version.from_s, version.to_s) == (1_798_732_800, 1_830_268_800)  # midnights of Shanghai


def test_every_state_may_have_a_price_of_its_own() -> None:
    matrix = '{allocated: "0", running: "0.02", stopped: "0.01"}'
    version = read(prices(f"{{meter: memory_gib, unit: GiB-hour, states: {matrix}}}")).version
    assert {(r.meter, r.state): r.steps[0].micro_yuan for r in version.rates} == {
        ("memory_mib", "allocated"): 0,
        ("memory_mib", "running"): 20_000,
        ("memory_mib", "stopped"): 10_000,
    }


def test_a_price_matrix_names_every_state() -> None:
    found = problems(prices('{meter: vcpu, unit: vcpu-hour, states: {running: "1"}}'))
    assert [code for code, _, _ in found] == ["document.missing_field"] * 2


def test_a_free_quantity_is_a_first_step_that_costs_nothing() -> None:
    rate = read(prices('{meter: address, unit: address-hour, price: "0.003", free: 720}')).version.rates[0]
    assert rate.mode is Mode.GRADUATED
    assert rate.steps == (Step(up_to=720, micro_yuan=0), Step(up_to=None, micro_yuan=3_000))


def test_services_are_priced_once_or_by_the_month() -> None:
    text = prices(
        '{meter: "service:move", unit: item, price: "5000"}',
        '{meter: "service:care", unit: item-month, price: "300"}',
        '{meter: "labour:expert", unit: hour, price: "180.5", code: GB-7}',
    )
    version = read(text).version
    assert [(r.meter, r.per, r.micro_yuan, r.code) for r in version.entry_rates] == [
        ("labour:expert", "once", 180_500_000, "GB-7"),
        ("service:care", "month", 300_000_000, ""),
        ("service:move", "once", 5_000_000_000, ""),
    ]


def test_a_committed_amount_is_kept_in_base_units() -> None:
    text = prices('{meter: memory_gib, unit: GiB-hour, price: "0.02"}') + (
        "commitments:\n  - {name: base, department: water, meter: memory_gib, amount: 64, price: '0.015', "
        "from: 2027-01-01, to: 2027-07-01}\n"
    )
    [found] = read(text).version.commitments
    assert (found.department_id, found.meter, found.amount) == ("dept_water", "memory_mib", 65_536)
    assert found.micro_yuan_per_unit_hour == 15_000


def test_chinese_keys_are_exact_aliases() -> None:
    english = read(prices(CPU)).version
    chinese = read(
        "apiVersion: allotment/v1\n类型: 价格册\n名称: city\n生效日: 2027-01-01\n失效日: 2028-01-01\n"
        '价格:\n  - {计量项: vcpu, 单位: vcpu-hour, 单价: "0.0764"}\n'
    ).version
    assert chinese == english


def test_a_version_comes_back_from_its_stored_form() -> None:
    tiers = '{mode: volume, steps: [{up-to: 10, price: "2"}, {price: "1"}]}'
    text = prices(CPU, f"{{meter: address, unit: address-hour, tiers: {tiers}}}")
    text += "discounts:\n  - {department: civil, meter: '*', percent: '12.5'}\n"
    version = read(text).version
    assert BookVersion.from_json(version.to_json()) == version
    assert version.discount("dept_civil", "address", version.from_s) == 1250


#: A price of each state.
_STATES = 'states: {allocated: "1", running: "1", stopped: "0"}'


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('{meter: cpu, unit: vcpu-hour, price: "1"}', "price.meter_unknown"),
        ('{meter: "backup_gib:standard", unit: GiB, price: "1"}', "book.wrong_unit"),
        ('{meter: "network_out_bytes:internet", unit: GiB-hour, price: "1"}', "book.wrong_unit"),
        ('{meter: vcpu, unit: GiB-hour, price: "1"}', "book.wrong_unit"),
        ('{meter: vcpu, unit: vcpu-hour}', "book.one_price"),
        ('{meter: vcpu, unit: vcpu-hour, price: "-1"}', "document.not_a_decimal"),
        ('{meter: vcpu, unit: vcpu-hour, price: "0.0000001"}', "document.not_a_decimal"),
        ('{meter: vcpu, unit: vcpu-hour, price: "1000000.1"}', "book.price_absurd"),
        ('{meter: vcpu, unit: vcpu-hour, price: "1", tiers: {mode: graduated, steps: [{price: "1"}]}}', "book.one_price"),
        (f'{{meter: "snapshot_gib:standard", unit: GiB-hour, {_STATES}}}', "book.states_unknown"),
        (f'{{meter: "network_out_bytes:internet", unit: GiB, {_STATES}}}', "book.states_unknown"),
        ('{meter: vcpu, unit: vcpu-hour, free: 5, tiers: {mode: graduated, steps: [{price: "1"}]}}', "book.free_with_price"),
        ('{meter: vcpu, unit: vcpu-hour, tiers: {mode: graduated, steps: [{up-to: 5, price: "1"}]}}', "book.step_end"),
        (f"{{meter: vcpu, unit: vcpu-hour, tiers: {TIERS}}}", "book.step_order"),
        ('{meter: "service:x", unit: item, price: "1", free: 3}', "book.entry_price"),
        ('{meter: vcpu, unit: vcpu-hour, price: "1", colour: red}', "book.unknown_field"),
    ],
)  # fmt: skip
def test_each_mistake_of_a_line_is_told_with_its_place(line: str, code: str) -> None:
    found = problems(prices(line))
    assert found[0][0] == code
    assert found[0][1] == 7
    assert (found[0][2] or 0) >= 5


def test_everything_wrong_is_told_at_once_in_the_order_of_the_document() -> None:
    text = prices(CPU, CPU, '{meter: disk, unit: GiB-hour, price: "1"}') + (
        "discounts:\n"
        "  - {department: fire, meter: vcpu, percent: '10'}\n"
        "  - {department: civil, meter: vcpu, percent: '10', from: 2027-03-01, to: 2027-02-01}\n"
        "  - {department: civil, meter: address, percent: '10'}\n"
        "  - {department: water, meter: vcpu, percent: '10'}\n"
        "  - {department: water, meter: vcpu, percent: '20', from: 2027-05-01}\n"
        "commitments:\n"
        "  - {name: a, department: water, meter: vcpu, amount: 5, price: '0.05', from: 2026-12-01, to: 2027-02-01}\n"
        "  - {name: b, department: water, meter: vcpu, amount: 5, price: '0.05', from: 2027-01-01, to: 2027-03-01}\n"
    )
    found = problems(text)
    assert [(code, line) for code, line, _ in found] == [
        ("book.meter_twice", 8),
        ("price.meter_unknown", 9),
        ("book.unknown_department", 11),
        ("book.window_empty", 12),
        ("book.meter_unpriced", 13),
        ("book.discount_twice", 15),
        ("book.outside_window", 17),
        ("book.commitment_twice", 18),
    ]


def test_a_window_that_ends_before_it_begins_is_refused() -> None:
    text = prices(CPU).replace("valid-to: 2028-01-01", "valid-to: 2027-01-01")
    assert [(code, line) for code, line, _ in problems(text)] == [("book.window_empty", 5)]


def test_a_commitment_may_name_a_project_of_its_department() -> None:
    line = '{name: c, department: civil, project: P-1, meter: vcpu, amount: 3, price: "0.05", from: 2027-01-01, to: 2027-02-01}'
    text = prices(CPU) + f"commitments:\n  - {line}\n"
    projects = {"P-1": ("proj_1", "dept_civil"), "P-2": ("proj_2", "dept_water")}
    (owed,) = _read_with(text, projects).version.commitments
    assert owed.project_id == "proj_1"
    with pytest.raises(Invalid) as refused:
        _read_with(text.replace("P-1", "P-2"), projects)
    assert [p.code for p in refused.value.problems] == ["book.unknown_project"]


def _read_with(text: str, projects: dict[str, tuple[str, str]]) -> BookDocument:
    return read_book(text.encode(), id_="book_1", departments=DEPARTMENTS, zone=SHANGHAI, projects=projects)
