"""When something is full at the present trend: a seeded block bootstrap of daily net growth.

Each of many possible futures is put together from weeks of the past, drawn with replacement; whole weeks keep what
working days and weekends have in common, and all dimensions of a day stay together. The day on which the first dimension
runs out is one draw; its 10th, 50th and 90th percentile are the answer. One seed: the same history always says the same.

Source: Künsch, "The jackknife and the bootstrap for general stationary observations" (Annals of Statistics 17, 1989): the
moving block bootstrap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

BLOCK_DAYS = 7
#: With less history than this, four weeks, a trend is a guess.
HISTORY_DAYS_MIN = 4 * BLOCK_DAYS
HORIZON_DAYS = 5 * 365
PATHS = 1_000
SEED = 20_260_101


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Days from now until full, 0 where it is; None: not within the horizon in so many of the futures."""

    history_days: int
    p10_days: int | None = None
    p50_days: int | None = None
    p90_days: int | None = None
    #: Dimension that runs out first in most futures; empty if none does.
    dimension: str = ""
    #: Mean net growth per day, by dimension.
    growth_per_day: Mapping[str, float]

    @property
    def is_enough(self) -> bool:
        """Tell whether there was enough history to say anything."""
        return self.history_days >= HISTORY_DAYS_MIN

    @property
    def is_full(self) -> bool:
        """Tell whether something is used up now, whatever the history."""
        return self.p10_days == 0


def days_until_full(growth: Mapping[str, Sequence[int]], free: Mapping[str, int]) -> Trend:
    """Return when the first of ``free`` is used up.

    ``growth`` is the net growth of each past day by dimension, oldest first, equally long for all.
    """
    dimensions = sorted(free)
    days = max((len(growth[d]) for d in dimensions if d in growth), default=0)
    history = np.array([list(growth.get(d, [0] * days)) for d in dimensions], dtype=np.int64).reshape(len(dimensions), days)
    means = {d: float(row.mean()) if days else 0.0 for d, row in zip(dimensions, history, strict=True)}
    used_up = next((d for d in dimensions if free[d] <= 0), None)
    if used_up is not None:
        return Trend(history_days=days, p10_days=0, p50_days=0, p90_days=0, dimension=used_up, growth_per_day=means)
    if days < HISTORY_DAYS_MIN:
        return Trend(history_days=days, growth_per_day=means)
    full = np.stack([_first_day_over(row, free[d]) for d, row in zip(dimensions, history, strict=True)])
    first = full.min(axis=0)
    is_over = first <= HORIZON_DAYS
    binding = np.bincount(full[:, is_over].argmin(axis=0), minlength=len(dimensions)) if is_over.any() else None
    p10, p50, p90 = (int(np.quantile(first, q, method="inverted_cdf")) for q in (0.1, 0.5, 0.9))
    return Trend(
        history_days=days,
        p10_days=_within(p10),
        p50_days=_within(p50),
        p90_days=_within(p90),
        dimension="" if binding is None else dimensions[int(binding.argmax())],
        growth_per_day=means,
    )


def _within(days: int) -> int | None:
    return days if days <= HORIZON_DAYS else None


def _first_day_over(
    history: "np.ndarray[tuple[int], np.dtype[np.int64]]", free: int
) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Return for each future the first day at whose end nothing is free; the day after the horizon if there is none."""
    blocks = -(-HORIZON_DAYS // BLOCK_DAYS)
    # The same draws for every dimension: what happened on one day stays together.
    starts = np.random.default_rng(SEED).integers(0, len(history) - BLOCK_DAYS + 1, size=(PATHS, blocks))
    # What a week adds until each of its days, for every week of the past.
    weeks = np.lib.stride_tricks.sliding_window_view(history, BLOCK_DAYS).cumsum(axis=1)
    before = np.concatenate((np.zeros((PATHS, 1), dtype=np.int64), weeks[starts, -1].cumsum(axis=1)[:, :-1]), axis=1)
    levels = (before[:, :, None] + weeks[starts]).reshape(PATHS, -1)[:, :HORIZON_DAYS]
    is_full = levels >= free
    return np.where(is_full.any(axis=1), is_full.argmax(axis=1) + 1, HORIZON_DAYS + 1).astype(np.int64)
