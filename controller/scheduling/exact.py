"""The exact fallback for a gang: OR-tools' CP-SAT, where the extra ``exact`` is installed, for problems small enough.

``decide`` asks it only after the heuristics failed. It counts units of a kind per host, so equal machines are never told
apart. Time is counted in the solver's own deterministic unit, on one thread: the same picture gets the same answer.

Source: Perron, Furnon, "OR-Tools CP-SAT", https://developers.google.com/optimization/cp.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from controller.scheduling.columns import Int32
from controller.scheduling.fleet import Fleet
from controller.scheduling.gang import Chosen, possible_hosts, take
from controller.scheduling.groups import Groups
from controller.scheduling.scoring import storage_asks
from controller.scheduling.units import MEMBERS_MAX as UNITS_MAX
from controller.scheduling.units import Need, Unit
from inventory.domain.placement import NetworkLevel

#: Kinds times hosts they may go to, at most: beyond it the model alone would take too long.
PLACES_MAX = 2_000
#: Deterministic time of the solver, about seconds of one core.
TIME_CAP = 0.12
#: Answers whose disks do not fit into the single pools of a host, before giving up.
_ANSWERS_MAX = 3

#: (kind, host) -> variable.
Places = dict[tuple[int, int], Any]


@cache
def is_installed() -> bool:
    """Tell whether the solver is there."""
    return find_spec("ortools") is not None


def is_solvable(kinds: Sequence[list[Unit]], fleet: Fleet, groups: Groups) -> bool:
    """Tell whether the solver is there and the problem small enough for it."""
    return is_installed() and sum(len(possible_hosts(kind[0].need, fleet, groups)) for kind in kinds) <= PLACES_MAX


def solve(kinds: Sequence[list[Unit]], fleet: Fleet, groups: Groups) -> list[Chosen] | None:
    """Return a host for every unit, or nothing: it cannot be, or is not found in time. Fleet and groups are left as they were."""
    hosts = [possible_hosts(kind[0].need, fleet, groups) for kind in kinds]
    if not all(map(len, hosts)):
        return None
    model, places = _model(kinds, hosts, fleet, groups)
    for _ in range(_ANSWERS_MAX):
        counts = _counts(model, places)
        if counts is None:
            return None
        chosen = _chosen(kinds, counts, fleet, groups)
        if chosen is not None:
            return chosen
        _forbid(model, places, counts)
    return None


def _cp_model() -> Any:
    return import_module("ortools.sat.python.cp_model")


@cache
def _model_type() -> Any:
    # Without the old names of all methods: making them takes longer than most answers.
    return type("Model", (_cp_model().CpModel,), {"_add_pre_pep8_methods": lambda _: None})


def _model(kinds: Sequence[list[Unit]], hosts: Sequence[Int32], fleet: Fleet, groups: Groups) -> tuple[Any, Places]:
    model = _model_type()()
    places: Places = {}
    for k, kind in enumerate(kinds):
        for host in hosts[k].tolist():
            places[k, host] = model.new_int_var(0, _most(kind, host, fleet), f"{k}@{host}")
        model.add(sum(places[k, host] for host in hosts[k].tolist()) == len(kind))
    needs = [kind[0].need for kind in kinds]
    _add_capacity(model, places, needs, fleet)
    homes = {group: _add_rule(model, places, needs, groups, group) for group in groups.rules}
    if groups.addresses.blocks_left is not None:
        model.add(sum(_blocks(places, needs, groups, homes)) <= groups.addresses.blocks_left)
    return model, places


def _blocks(places: Places, needs: Sequence[Need], groups: Groups, homes: Mapping[str, Mapping[int, Any]]) -> Iterator[Any]:
    """Yield the blocks that are taken: for units that hang together by networks once, on the home that all of them go to."""
    done: set[tuple[str, int]] = set()
    for (k, host), count in places.items():
        group = next((g for g, level in needs[k].hard if level is NetworkLevel.HOME), "")
        blocks = groups.addresses.blocks_on(needs[k], host)
        if not group:
            yield blocks * count
        elif (key := (group, groups.domain(group, host))) not in done:
            done.add(key)
            yield blocks * homes[group][key[1]]


def _most(kind: Sequence[Unit], host: int, fleet: Fleet) -> int:
    """Return how many of a kind a host takes at most by its capacity alone."""
    room = [fleet.free_at(dimension, host) // amount for dimension, amount in kind[0].need.ask]
    return max(0, min([len(kind), *room]))


def _asked(need: Need, host: int, fleet: Fleet) -> Iterable[tuple[str, int, int]]:
    """Yield what one unit asks of a host, by name, and what is free of it there."""
    for dimension, amount in need.ask:
        yield dimension, amount, fleet.free_at(dimension, host)
    for ask in storage_asks(need.disks):
        yield f"disk {ask.disk_class}", ask.together_gib, fleet.class_room(ask.disk_class, host)[0]


def _add_capacity(model: Any, places: Places, needs: Sequence[Need], fleet: Fleet) -> None:
    asked: dict[tuple[int, str], list[Any]] = defaultdict(list)
    free: dict[tuple[int, str], int] = {}
    for (k, host), count in places.items():
        if needs[k].is_staying:
            continue
        for name, amount, room in _asked(needs[k], host, fleet):
            asked[host, name].append(amount * count)
            free[host, name] = room
    for key, terms in asked.items():
        model.add(sum(terms) <= free[key])


def _add_rule(model: Any, places: Places, needs: Sequence[Need], groups: Groups, group: str) -> Mapping[int, Any]:
    """Add a hard rule; a soft one is for the score only. Returns, of a rule that keeps together, whether a domain is the one."""
    rule = groups.rules[group]
    of_group = {k: dict(need.counts)[group] for k, need in enumerate(needs) if group in dict(need.hard)}
    in_domain: dict[int, list[tuple[int, Any]]] = defaultdict(list)
    for (k, host), count in places.items():
        if k in of_group:
            in_domain[groups.domain(group, host)].append((of_group[k], count))
    if not rule.is_hard or not in_domain:
        return {}
    if not rule.is_affinity:
        for domain, members in in_domain.items():
            mates = int(groups.counts[group][domain])
            model.add(sum(each * count for each, count in members) <= max(0, rule.max_per_domain - mates))
        return {}
    is_home = {domain: _home(model, groups, group, domain) for domain in in_domain}
    if not groups.totals[group]:
        model.add(sum(is_home.values()) <= 1)
    for domain, members in in_domain.items():
        for _, count in members:
            model.add(count <= UNITS_MAX * is_home[domain])
    return is_home


def _home(model: Any, groups: Groups, group: str, domain: int) -> Any:
    """Return whether machines that want to be together may go to a domain: where one is already, else one of them all."""
    return int(groups.counts[group][domain] > 0) if groups.totals[group] else model.new_bool_var(f"{group} in {domain}")


def _counts(model: Any, places: Places) -> dict[tuple[int, int], int] | None:
    cp_model = _cp_model()
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    solver.parameters.max_deterministic_time = TIME_CAP
    if solver.solve(model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    return {key: solver.value(count) for key, count in places.items()}


def _chosen(kinds: Sequence[list[Unit]], counts: dict[tuple[int, int], int], fleet: Fleet, groups: Groups) -> list[Chosen] | None:
    """Put the units on their hosts, one after the other, as every placement is: rules and single pools are checked again."""
    mark, chosen = fleet.mark(), list[Chosen]()
    for k, kind in enumerate(kinds):
        need = kind[0].need
        hosts = np.repeat([host for (j, host) in counts if j == k], [n for (j, _), n in counts.items() if j == k])
        for unit, host in zip(kind, hosts.tolist(), strict=True):
            if (not need.is_staying and not fleet.has_room(need, host)) or groups.breaks(need, host):
                break
            chosen.append(take(fleet, unit, host))
            groups.place(need, host)
    fleet.rollback(mark)
    for done in chosen:
        groups.place(done.unit.need, done.host, -1)
    return chosen if len(chosen) == sum(map(len, kinds)) else None


def _forbid(model: Any, places: Places, counts: dict[tuple[int, int], int]) -> None:
    """Rule one answer out."""
    differs = []
    for key, count in places.items():
        is_other = model.new_bool_var(f"other {key}")
        model.add(count != counts[key]).only_enforce_if(is_other)
        differs.append(is_other)
    model.add_bool_or(differs)
