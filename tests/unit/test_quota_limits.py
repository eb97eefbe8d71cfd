"""quotas.limits: why a wish is over, and what a plan leaves."""

from quotas.limits import Level, Mode, Overrun, ScopeKind, after, growing, overruns, room


def level(scope: str, dimension: str, used: int, limit: int | None = None, mode: Mode | None = None) -> Level:
    return Level(
        scope_id=scope,
        scope_kind=ScopeKind.DEPARTMENT,
        dimension=dimension,
        mode=mode or (Mode.INHERIT if limit is None else Mode.LIMIT),
        limit_amount=limit,
        used=used,
    )


def test_exactly_the_limit_fits() -> None:
    assert overruns([level("a", "vcpu", used=6, limit=10)], {"vcpu": 4}) == ()


def test_one_above_the_limit_is_an_overrun_that_says_everything() -> None:
    assert overruns([level("a", "vcpu", used=6, limit=10)], {"vcpu": 5}) == (
        Overrun(scope_id="a", dimension="vcpu", scope_kind=ScopeKind.DEPARTMENT, limit=10, used=6, asked=5),
    )


def test_every_overrun_is_listed_by_scope_and_dimension() -> None:
    levels = [level("b", "vcpu", 9, 10), level("a", "volumes", 5, 5), level("a", "addresses", 1, 1), level("a", "vcpu", 0, 99)]
    found = overruns(levels, {"vcpu": 2, "volumes": 1, "addresses": 1})
    assert [(o.scope_id, o.dimension) for o in found] == [("a", "addresses"), ("a", "volumes"), ("b", "vcpu")]


def test_inherit_and_unlimited_set_no_bound() -> None:
    levels = [level("a", "vcpu", 999), level("b", "vcpu", 999, mode=Mode.UNLIMITED)]
    assert overruns(levels, {"vcpu": 10**9}) == ()


def test_a_scope_that_is_over_already_refuses_growth_but_not_other_dimensions() -> None:
    levels = [level("a", "vcpu", used=12, limit=10), level("a", "volumes", used=1, limit=10)]
    assert [o.dimension for o in overruns(levels, {"vcpu": 1, "volumes": 1})] == ["vcpu"]


def test_what_shrinks_or_stays_is_never_checked() -> None:
    assert overruns([level("a", "vcpu", used=12, limit=10)], {"vcpu": -1}) == ()
    assert overruns([level("a", "vcpu", used=12, limit=10)], {"vcpu": 0}) == ()
    assert growing({"vcpu": 0, "volumes": -2, "addresses": 3}) == {"addresses": 3}


def test_a_limit_of_zero_allows_nothing() -> None:
    assert len(overruns([level("a", "vcpu", used=0, limit=0)], {"vcpu": 1})) == 1


def test_quota_after_adds_growth_and_shrinkage() -> None:
    found = after([level("a", "vcpu", 5, 10), level("a", "volumes", 5)], {"vcpu": 3, "volumes": -2})
    assert [(x.dimension, x.used) for x in found] == [("vcpu", 8), ("volumes", 3)]


def test_room_is_the_smallest_on_the_way_up() -> None:
    levels = [level("a", "vcpu", 5, 10), level("b", "vcpu", 1, 3), level("c", "vcpu", 0), level("a", "volumes", 0, 1)]
    assert room(levels, "vcpu") == 2
    assert room(levels, "addresses") is None
    assert room([level("a", "vcpu", used=12, limit=10)], "vcpu") == 0
