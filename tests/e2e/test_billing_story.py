"""The story of a bill on the command line: prices, an entry by hand, a month closed, a line corrected in the next one."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.empty_image import qcow2
from tests.support.service import SITE, Ended, ServiceUnderTest, service

BOOK = """\
apiVersion: allotment/v1
kind: PriceBook
name: city
valid-from: 2020-01-01
prices:
  - {meter: vcpu, unit: vcpu-hour, price: "0.0764"}
  - {meter: "service:move", unit: item, price: "5000"}
  - {meter: "labour:senior", unit: hour, price: "300"}
"""
BUDGETS = """\
apiVersion: allotment/v1
kind: Budgets
budgets: [{project: P-PORTAL, year: 2020, amount: "9000", block-over: 100}]
"""


class People:
    """Everybody with a token of their own."""

    def __init__(self, found: ServiceUnderTest) -> None:
        self._found = found
        self._files = {name: found.token(name, "finance") for name in ("wang", "li", "zhao")}
        self._files["zhang"] = found.token("zhang", "department_admin", "civil-affairs")

    def ask(self, who: str, *words: str) -> Ended:
        """Run ``allot meter …`` as somebody."""
        environment = {"ALLOT_TOKEN_FILE": str(self._found.directory / self._files[who])}
        return self._found.allot("meter", *words, environment=environment)

    def get(self, who: str, *words: str) -> Any:
        """Run what must succeed, and read its JSON."""
        done = self.ask(who, *words, "--output", "json")
        assert done.code == 0, f"{words}: {done.code}\n{done.out}\n{done.err}"
        return done.json

    def refused(self, who: str, code: str, *words: str) -> None:
        """Run what must be refused, with its code and a cure."""
        done = self.ask(who, *words)
        assert done.code == 1, f"{words}: {done.code}\n{done.out}\n{done.err}"
        assert code in done.err


#: Some forty commands, each a process of its own.
@pytest.mark.soak
def test_a_month_is_billed_closed_proven_and_corrected_from_the_command_line(tmp_path: Path) -> None:
    with service(tmp_path / "service", is_furnished=False) as found:
        (found.directory / "demo-linux.qcow2").write_bytes(qcow2())
        found.ok("import", found.write("site.yaml", SITE), "--yes")
        people = People(found)
        book = people.get("wang", "book", "submit", found.write("book.yaml", BOOK))["id"]
        people.refused("wang", "book.own", "book", "approve", book)
        for who in ("li", "zhao"):
            people.get(who, "book", "approve", book)
        entry = people.get("wang", "entry", "add", "P-PORTAL", "service:move", "1", "--from", "2020-05-04", "--reason", "moved")
        people.refused("wang", "entry.own", "entry", "approve", entry["id"])
        people.get("li", "entry", "approve", entry["id"])
        _budget(people, found)
        _close(people, "2020-05")
        people.refused("wang", "period.never_reopens", "reopen-never", "2020-05")
        [row] = people.get("zhang", "statement", "2020-05", "civil-affairs")["rows"]
        assert (row["yuan"], row["payable_yuan"], row["budget_code"]) == ("5000.000000", "5000.00", "2080299")
        people.get("zhang", "acknowledge", "2020-05", "civil-affairs")
        [line] = people.get("wang", "lines", "2020-05", "civil-affairs")
        traced = people.get("wang", "trace", line["id"])
        assert sorted(traced["price"]["approved_by"]) == ["li", "zhao"]
        added = people.get("wang", "adjust", "add", line["id"], "--yuan", "-12.34", "--reason", "agreed less")
        people.refused("wang", "adjustment.own", "adjust", "approve", added["id"])
        people.get("li", "adjust", "approve", added["id"])
        _close(people, "2020-06")
        [row] = people.get("wang", "statement", "2020-06", "civil-affairs")["rows"]
        assert (row["kind"], row["yuan"]) == ("adjustment", "-12.340000")
        for month in ("2020-05", "2020-06"):
            assert people.get("wang", "verify", month)["is_proven"]
        found.ok("audit", "verify")


def _budget(people: People, found: ServiceUnderTest) -> None:
    people.get("wang", "budget", "import", found.write("budgets.yaml", BUDGETS))
    [budget] = people.get("zhang", "budget", "show", "--year", "2020")
    assert (budget["project"], budget["limit_yuan"]) == ("P-PORTAL", "9000.000000")


def _close(people: People, month: str) -> None:
    people.refused("li", "period.state_forbids", "review", month)
    people.get("wang", "close", month)
    people.get("wang", "review", month)
    people.refused("wang", "period.own_review", "close", month)
    assert people.get("li", "close", month)["state"] == "closed"
