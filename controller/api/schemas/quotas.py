"""Limits and how much of them is used."""

from typing import Literal

from pydantic import Field

from controller.api.schemas.base import In, Out, Page, Whole


class QuotaLevel(Out):
    """What one scope says of one dimension, and how much of it is used."""

    scope_id: str
    scope_kind: str
    scope: str
    scope_name: str
    dimension: str
    mode: Literal["inherit", "limit", "unlimited"]
    limit: int | None
    used: int


class QuotaDrift(Out):
    """A counter that was not what the claims add up to."""

    scope_id: str
    scope_kind: str
    dimension: str
    used: int
    counted: int


class QuotaIn(In):
    """What a scope shall say of one dimension."""

    mode: Literal["inherit", "limit", "unlimited"]
    limit: Whole | None = Field(default=None, ge=0, le=10**12)


class QuotaPage(Page):
    """Limits and use."""

    items: list[QuotaLevel]


class DriftPage(Page):
    """Counters that were put right."""

    items: list[QuotaDrift]
