"""Formats families as Prometheus text (version 0.0.4): hand-made, because big families are rebuilt every few seconds.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from controller.metrics.declared import Kind, Metric
from controller.reconcile.counters import BUCKETS_S, Histogram

#: What ``/metrics`` says it is.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: Label values in the order of the metric's labels -> value.
Samples = Mapping[tuple[str, ...], float]

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_BOUNDS = tuple("+Inf" if math.isinf(b) else repr(float(b)) for b in BUCKETS_S)


def family(metric: Metric, samples: Samples) -> str:
    """Return a gauge or counter; an empty one still has its two header lines."""
    assert metric.kind is not Kind.HISTOGRAM, metric.name
    lines = _header(metric)
    lines += [f"{metric.name}{_braces(metric.labels, values)} {number(value)}" for values, value in samples.items()]
    return _joined(lines)


def single(metric: Metric, value: float) -> str:
    """Return a family of one sample without labels."""
    return family(metric, {(): value})


def histogram(metric: Metric, samples: Mapping[tuple[str, ...], Histogram]) -> str:
    """Return a histogram with its buckets added up."""
    assert metric.kind is Kind.HISTOGRAM, metric.name
    lines = _header(metric)
    for values, sample in samples.items():
        lines += _histogram_lines(metric, values, sample)
    return _joined(lines)


def _histogram_lines(metric: Metric, values: Sequence[str], sample: Histogram) -> Iterable[str]:
    total = 0
    # One copy: the owner counts on while we add up, and the buckets must agree with the count.
    for bound, count in zip(_BOUNDS, list(sample.counts), strict=True):
        total += count
        yield f"{metric.name}_bucket{_braces((*metric.labels, 'le'), (*values, bound))} {total}"
    yield f"{metric.name}_sum{_braces(metric.labels, values)} {number(sample.sum_s)}"
    yield f"{metric.name}_count{_braces(metric.labels, values)} {total}"


def number(value: float) -> str:
    """Return a value as the format writes it."""
    if isinstance(value, int):
        return str(value)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def _header(metric: Metric) -> list[str]:
    text = metric.help.replace("\\", r"\\").replace("\n", r"\n")
    return [f"# HELP {metric.name} {text}", f"# TYPE {metric.name} {metric.kind.value}"]


def _braces(names: Sequence[str], values: Sequence[str]) -> str:
    if not names and not values:
        return ""
    pairs = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in zip(names, values, strict=True))
    return "{" + pairs + "}"


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
