"""Sets of processors, layouts and what quotas call a dimension."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.domain.claim import Claim, quota_amounts
from inventory.domain.ids import ProjectId, ResourceId
from inventory.domain.layout import Cell, Layout, compute_of, cpus_text, host_cells, read_cpus
from inventory.domain.resources import counted_as


@given(st.frozensets(st.integers(0, 300)))
def test_a_set_of_processors_reads_back(cpus: frozenset[int]) -> None:
    assert read_cpus(cpus_text(cpus)) == cpus


@pytest.mark.parametrize("text", ["3-1", "a", "1-", "-1", "1,,2", "99999", "0-99999"])
def test_what_is_no_set_of_processors_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        read_cpus(text)


def test_what_needs_a_cell_has_one_node_at_least() -> None:
    assert Layout.of(is_dedicated=True).node_count == 1
    assert Layout.of(page_kib=2048).node_count == 1
    assert not Layout.of()


def test_the_rest_is_shared_unless_the_operator_says_less() -> None:
    cells = (Cell(id=0, memory_mib=1024, cores="0,4 1,5 2,6 3,7"),)
    (all_others,) = host_cells(cells, "2-3,7", "")
    assert (all_others.dedicated, all_others.shared) == (((2,), (3, 7)), frozenset({0, 1, 4, 5, 6}))
    (some,) = host_cells(cells, "2-3", "0-1")
    assert some.shared == frozenset({0, 1})
    (nothing_said,) = host_cells(cells, "", "")
    assert (nothing_said.dedicated, len(nothing_said.shared)) == ((), 8)


def test_quota_counts_dedicated_processors_and_huge_pages_as_what_they_are_of() -> None:
    compute = compute_of(4, 8192, Layout.of(is_dedicated=True, page_kib=2048))
    fine = {"cell:0:huge_mib:2048": 8192, "cpu:3": 1}
    claims = [
        Claim(
            resource_id=ResourceId("inst_1"),
            resource_kind="instance",
            project_id=ProjectId("prj_1"),
            provider_id="host_1",
            dimension=dimension,
            amount=amount,
        )
        for dimension, amount in {**compute, **fine}.items()
    ]
    amounts = quota_amounts(claims)
    assert (amounts["vcpu"], amounts["memory_mib"], amounts["instances"]) == (4, 8192, 1)
    assert [counted_as(d) for d in ("pcpu", "huge_mib:64", "cell:0:vcpu", "cpu:1", "vcpu")] == [
        "vcpu",
        "memory_mib",
        "",
        "",
        "vcpu",
    ]
