"""Statements are read in the reader's language: meters, units, states and kinds have words, quantities are in priced units."""

import pytest

from controller.texts import catalogue
from controller.texts.catalogue import LANGUAGES
from inventory.domain.resource import ResourceKind
from metering.efficiency import Finding
from metering.lines import Kind
from metering.meters import METERS, STATES, Counting
from metering.reports import efficiency
from metering.reports.columns import Dataset
from metering.reports.words import base_unit_word, kind_word, meter_word, priced_quantity, priced_texts, unit_word

KINDS = [value for name, value in vars(Kind).items() if name.isupper()]


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_on_a_statement_has_a_word(language: str) -> None:
    def say(code: str) -> str:
        found = catalogue.say(code, {}, language)
        assert found != code, "no text"
        return found

    for meter in METERS.values():
        assert meter_word(meter.name.rstrip(":"), say)
        assert base_unit_word(meter.name, say)
        assert unit_word(f"{meter.unit}·h" if meter.counting is Counting.LEVEL else meter.unit, say)
    for kind in KINDS:
        assert kind_word(kind, say)
    for code in (*(f"state_{s}" for s in (*STATES, "lost")), *(f"resource_{k}" for k in ResourceKind)):
        assert say(f"report.word.{code}")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("dataset", [efficiency.SYSTEMS, efficiency.CLASSES, efficiency.MACHINES], ids=lambda d: d.name)
def test_every_column_of_efficiency_has_a_heading(dataset: Dataset, language: str) -> None:
    texts = catalogue.all_texts()
    assert [c.name for c in dataset.columns if f"report.head.{c.name}" not in texts] == []
    heads = [catalogue.say(f"report.head.{c.name}", {}, language) for c in dataset.columns]
    assert len(set(heads)) == len(heads)
    assert [f for f in Finding if f"report.word.finding_{f}" not in texts or f"report.head.{f}_systems" not in texts] == []


def test_a_chinese_reader_meets_no_name_of_the_machine() -> None:
    def say(code: str) -> str:
        return catalogue.say(code, {}, "zh-CN")

    assert meter_word("disk_gib:standard", say) == "磁盘 (standard)"
    assert meter_word("memory_mib", say) == "内存"
    assert (unit_word("GiB·h", say), unit_word("", say)) == ("GiB·小时", "")


@pytest.mark.parametrize(
    ("meter", "kind", "quantity", "found"),
    [
        ("disk_gib:standard", "usage", 259_200_000, ("72000.000", "GiB·h")),
        ("memory_mib", "usage", 1024 * 3600 // 2, ("0.500", "GiB·h")),
        ("labour:engineer", "entry", 90, ("1.500", "hour")),
        ("service:move", "entry", 2, ("2.000", "item")),
        ("network_out_bytes:wan", "counted", (1 << 30) * 3 // 2000, ("0.001", "GiB")),
        ("vcpu", "correction", 0, (None, None)),
        ("vcpu", "adjustment", 0, (None, None)),
    ],
)
def test_quantities_are_told_in_the_unit_that_is_priced(
    meter: str, kind: str, quantity: int, found: tuple[str | None, str | None]
) -> None:
    row = {"meter": meter, "kind": kind, "quantity": str(quantity)}
    assert tuple(priced_texts(row).values()) == found
    assert (priced_quantity(row) is None) == (found == (None, None))
