"""Exact sums: what Python's own integers come to, at the ends of 64 bits too."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from metering import exact_sums

NUMBERS = st.integers(-(1 << 63), (1 << 63) - 1)
ROWS = st.lists(st.tuples(NUMBERS, st.integers(0, 1 << 40), st.integers(0, 3)), max_size=12)


@given(ROWS)
def test_sums_are_those_of_plain_integers(rows: list[tuple[int, int, int]]) -> None:
    values, factors, groups = (np.array([row[n] for row in rows], dtype=np.int64) for n in range(3))
    assert exact_sums.total(values) == sum(value for value, _, _ in rows)
    assert exact_sums.by_group(values, groups, 4) == [sum(v for v, _, g in rows if g == group) for group in range(4)]
    wanted = [sum(v * f for v, f, g in rows if g == group) for group in range(4)]
    assert exact_sums.products_by_group(values, factors, groups, 4) == wanted
