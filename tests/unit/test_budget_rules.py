"""Budgets as values, and the document they come from."""

from dataclasses import replace

import pytest

from inventory.domain.errors import Invalid
from quotas.budget_document import read_budgets
from quotas.budgets import Budget, BudgetLine, crossed

BUDGET = Budget(
    project_id="proj_a", year=2026, start_s=0, end_s=100, limit_micro_yuan=1_000, approval_over=80, block_over=100,
    spent_micro_yuan=0, obligated_micro_yuan=700, accrued_at_s=None,
)  # fmt: skip


@pytest.mark.parametrize(
    ("growth", "asks", "refuses"),
    [(100, False, False), (101, True, False), (300, True, False), (301, True, True), (-5, False, False)],
)
def test_what_a_ticket_adds_is_judged_to_the_micro_yuan(growth: int, asks: bool, refuses: bool) -> None:
    line = BudgetLine(budget=BUDGET, growth_micro_yuan=growth)
    assert (line.needs_approval, line.is_over) == (asks, refuses)


def test_what_shrinks_is_never_refused_and_what_has_no_action_neither() -> None:
    over = replace(BUDGET, obligated_micro_yuan=5_000)
    assert not BudgetLine(budget=over, growth_micro_yuan=-1).is_over
    assert not BudgetLine(budget=over, growth_micro_yuan=0).is_over
    free = replace(over, approval_over=None, block_over=None)
    assert not BudgetLine(budget=free, growth_micro_yuan=9).is_over
    assert not BudgetLine(budget=free, growth_micro_yuan=9).needs_approval


def test_each_threshold_is_told_of_once() -> None:
    assert list(crossed(BUDGET, [])) == []
    half = replace(BUDGET, spent_micro_yuan=799)
    assert list(crossed(half, [])) == ["50"]
    assert list(crossed(half, ["50"])) == []
    gone = replace(BUDGET, spent_micro_yuan=1_000, obligated_micro_yuan=1_001)
    assert list(crossed(gone, ["50"])) == ["80", "100", "forecast"]
    assert list(crossed(replace(BUDGET, limit_micro_yuan=0, obligated_micro_yuan=0), [])) == []


DOCUMENT = """\
apiVersion: allotment/v1
kind: Budgets
budgets:
  - {project: P-a, year: 2026, amount: "12.34", approval-over: 80, block-over: 110}
  - {项目: P-b, 年度: 2027, 金额: "0"}
"""


def test_a_document_is_read_in_both_languages() -> None:
    first, second = read_budgets(DOCUMENT.encode(), projects={"P-a": "proj_a", "P-b": "proj_b"})
    assert (first.project_id, first.year, first.limit_micro_yuan) == ("proj_a", 2026, 12_340_000)
    assert (first.approval_over, first.block_over) == (80, 110)
    assert (second.project_id, second.limit_micro_yuan, second.approval_over, second.block_over) == ("proj_b", 0, None, None)


def test_an_amount_may_be_written_in_ten_thousands_of_yuan() -> None:
    written = DOCUMENT.replace('"12.34"', "26.5万元").replace('"0"', "８００元")
    first, second = read_budgets(written.encode(), projects={"P-a": "proj_a", "P-b": "proj_b"})
    assert (first.limit_micro_yuan, second.limit_micro_yuan) == (265_000_000_000, 800_000_000)


def test_everything_wrong_with_a_document_is_told_at_once_with_its_place() -> None:
    wrong = DOCUMENT.replace("P-b", "P-x") + '  - {project: P-a, year: 2026, amount: "1"}\n'
    with pytest.raises(Invalid) as refused:
        read_budgets(wrong.encode(), projects={"P-a": "proj_a"})
    assert [(p.code, p.where.line if p.where else 0) for p in refused.value.problems] == [
        ("budget.project_unknown", 5),
        ("budget.twice", 6),
    ]
    with pytest.raises(Invalid):
        read_budgets(DOCUMENT.replace('"12.34"', '"-1"').encode(), projects={"P-a": "proj_a", "P-b": "b"})
