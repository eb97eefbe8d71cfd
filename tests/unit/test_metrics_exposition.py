"""The text format: escapes, numbers, histograms."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from controller.metrics import declared
from controller.metrics.declared import Kind, Metric
from controller.metrics.exposition import family, histogram, number, single
from controller.reconcile.counters import BUCKETS_S, Histogram

_GAUGE = Metric("allot_test", Kind.GAUGE, "A test.", ("a", "b"))


@given(
    st.dictionaries(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.text('\\\n"x')), st.floats(allow_nan=False))
)
def test_a_reader_gets_every_label_and_value_back(samples: dict[tuple[str, ...], float]) -> None:
    (parsed,) = text_string_to_metric_families(family(_GAUGE, samples))
    assert {(s.labels["a"], s.labels["b"]): s.value for s in parsed.samples} == samples


def test_help_is_kept_on_one_line() -> None:
    text = single(replace(_GAUGE, labels=(), help="one\\two\nthree"), 1)
    assert text == "# HELP allot_test one\\\\two\\nthree\n# TYPE allot_test gauge\nallot_test 1\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [(3, "3"), (0.25, "0.25"), (math.inf, "+Inf"), (-math.inf, "-Inf"), (math.nan, "NaN"), (2**53, "9007199254740992")],
)
def test_numbers_are_written_as_the_format_says(value: float, text: str) -> None:
    assert number(value) == text


def test_buckets_are_added_up_and_end_in_the_count() -> None:
    sample = Histogram()
    for value in (0.001, 0.02, 0.02, 1000.0):
        sample.observe(value)
    text = histogram(declared.STEP_DURATION, {("run",): sample})
    (parsed,) = text_string_to_metric_families(text)
    buckets = {s.labels["le"]: s.value for s in parsed.samples if s.name.endswith("_bucket")}
    assert len(buckets) == len(BUCKETS_S)
    assert (buckets["0.005"], buckets["0.01"], buckets["0.025"], buckets["300.0"], buckets["+Inf"]) == (1, 1, 3, 3, 4)
    totals = {s.name: s.value for s in parsed.samples if not s.name.endswith("_bucket")}
    assert totals == {
        "allot_reconcile_step_duration_seconds_sum": pytest.approx(1000.041),
        "allot_reconcile_step_duration_seconds_count": 4,
    }


def test_a_sample_with_too_few_labels_is_a_bug() -> None:
    with pytest.raises(ValueError, match="shorter"):
        family(_GAUGE, {("only one",): 1})
