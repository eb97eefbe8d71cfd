"""Bounds of what moves by itself; ``wiring`` fills them from the settings."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveBounds:
    """Bounds of all plans together."""

    #: Most steps begun in an hour.
    per_hour: int = 120
    #: How long a machine stays where it came to before a plan for evenness or energy may move it again.
    cool_down_s: float = 86_400.0
    #: How old a machine is before such a plan moves it: many do not live long.
    dwell_s: float = 3_600.0
