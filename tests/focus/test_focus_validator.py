"""FOCUS 1.2 by the official validator, in an environment of its own (``make test-focus``): nothing fails but what is listed.

Its exit code is 0 whatever it finds, it opens one file by a relative path, and it would fetch rules from the network: hence
the directory it runs in, ``--block-download``, and the JUnit file that is read.
"""

import json
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.billing import Billing
from tests.support.database import sqlite_database
from tests.support.golden import assert_golden
from tests.support.report_city import busy_city, made

pytestmark = [pytest.mark.focus, pytest.mark.timeout(900)]
PAGE = Path(__file__).parents[2] / "docs" / "focus-rules.md"
VENV = Path(__file__).parents[2] / ".venv-focus"
#: What this platform supports, in the validator's words.
SUPPORTED = (
    "ACCOUNT_NAMING_SUPPORTED", "MULTIPLE_PRICING_CATEGORIES_SUPPORTED", "NEGOTIATED_PRICING_SUPPORTED",
    "PUBLIC_PRICE_LIST_SUPPORTED",
    "USAGE_MEASUREMENT_SUPPORTED", "UNIT_PRICING_SUPPORTED", "SUB_ACCOUNT_SUPPORTED",
    "BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED",
    "RESOURCE_TYPE_ASSIGNMENT_SUPPORTED",
)  # fmt: skip
#: Rules that fail though the data is right.
LISTED = {
    "InvoiceId-C-004-C": "demands null on every row; it is one side of an OR whose other side holds, and the OR passes",
}
#: The same with commitments declared: the condition of C-004-C in the model is the opposite of its text.
LISTED_OF_COMMITMENTS = LISTED | {
    "CommitmentDiscountStatus-C-004-C": "its text: not null where CommitmentDiscountId is not null; its model: where it is null",
    "CommitmentDiscountStatus-C-002-C": "contains C-004-C",
    "CommitmentDiscountStatus-C-000-C": "contains C-002-C",
}


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Billing]:
    place = tmp_path_factory.mktemp("focus")
    with sqlite_database(place / "state.db") as opened:
        yield busy_city(opened, place)


def validated(data: Path, place: Path, supported: tuple[str, ...]) -> Mapping[str, str]:
    """Return what became of every rule: ``pass``, ``fail`` or ``skip``."""
    if not (VENV / ".ready").exists():
        pytest.skip("needs the validator's environment: make test-focus")
    rules = place / "focus_validator" / "rules"
    rules.mkdir(parents=True)
    [currencies] = VENV.glob("lib/python3*/site-packages/focus_validator/rules/currency_codes.csv")
    shutil.copy(currencies, rules)
    command = [
        str(VENV / "bin" / "focus-validator"), "--data-file", str(data), "--validate-version", "1.2.0.1", "--block-download",
        "--applicability-criteria", ",".join(supported), "--output-type", "unittest", "--output-destination", "out.xml",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert (place / "out.xml").exists(), done.stderr[-2000:]
    found = {}
    for case in ET.parse(place / "out.xml").getroot().iter("testcase"):
        name = case.get("name", "").partition(" ")[0]
        is_bad = case.find("failure") is not None or case.find("error") is not None
        found[name] = "fail" if is_bad else "skip" if case.find("skipped") is not None else "pass"
    return found


@pytest.mark.parametrize("format_", ["csv", "parquet"])
@pytest.mark.parametrize("month", ["2026-05", "2026-06", "2026-07"])
def test_nothing_fails_but_what_is_listed(city: Billing, tmp_path: Path, month: str, format_: str) -> None:
    found = validated(made(city, "focus-1.2", format_, month=month).path, tmp_path, SUPPORTED)
    count = Counter(found.values())
    assert {name for name, outcome in found.items() if outcome == "fail"} == set(LISTED)
    assert count["pass"] > 250, count


def test_commitments_fail_only_by_the_rule_that_contradicts_its_text(city: Billing, tmp_path: Path) -> None:
    found = validated(made(city, "focus-1.2", "csv").path, tmp_path, (*SUPPORTED, "COMMITMENT_DISCOUNT_SUPPORTED"))
    assert {name for name, outcome in found.items() if outcome == "fail"} == set(LISTED_OF_COMMITMENTS)


def test_the_page_of_rules_says_what_is_found(city: Billing, tmp_path: Path, update_golden: bool) -> None:
    found = validated(made(city, "focus-1.2", "csv").path, tmp_path, (*SUPPORTED, "COMMITMENT_DISCOUNT_SUPPORTED"))
    [model] = VENV.glob("lib/python3*/site-packages/focus_validator/rules/model-1.2.0.1.json")
    rules = json.loads(model.read_text("utf-8"))["ModelRules"]
    lines = [_rule(name, rules[name]["ValidationCriteria"]["MustSatisfy"], found.get(name, "")) for name in sorted(rules)]
    count = Counter(line.rpartition(" | ")[2].removesuffix(" |").partition(":")[0] for line in lines)
    head = ", ".join(f"{number} {what}" for what, number in sorted(count.items()))
    assert_golden(str(PAGE), _PAGE.format(counts=head, rows="\n".join(lines)), update=update_golden)


_PAGE = """\
# FOCUS 1.2, rule by rule

Written by `make test-focus` from the official validator 2.2.1 (rules 1.2.0.1) on a month with every kind of line;
see [FOCUS](focus.md). *Not applicable*: the rule is about something the platform does not have (a virtual currency, regions,
capacity reservations) or the validator has no check for it; [our own tests](focus.md#how-it-is-checked) cover the arithmetic it
has none for. {counts}.

| rule | demands | found |
|---|---|---|
{rows}
"""


def _rule(name: str, demand: str, outcome: str) -> str:
    said = {"pass": "kept", "fail": f"listed: {LISTED_OF_COMMITMENTS.get(name, '')}"}.get(outcome, "not applicable")
    return f"| `{name}` | {demand.replace('|', ' ')} | {said} |"


def test_the_validator_would_find_something(city: Billing, tmp_path: Path) -> None:
    text = made(city, "focus-1.2", "csv").path.read_text("utf-8")
    broken = tmp_path / "broken.csv"
    broken.write_text(text.replace(",Allotment,", ",分配,"), "utf-8")
    found = validated(broken, tmp_path / "run", SUPPORTED)
    assert {name for name, outcome in found.items() if outcome == "fail"} > set(LISTED)
