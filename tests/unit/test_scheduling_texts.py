"""Every code the scheduler can give has a text in both languages whose parameters are there."""

import inspect
import re
from string import Formatter

import pytest

from controller.scheduling import gang, misses, policy, suggest, units
from controller.scheduling.decide import decide
from controller.scheduling.filters import FILTER_NAMES
from controller.texts.placement import TEXTS
from controller.texts.text import Text
from inventory.domain.host import AdminState
from inventory.domain.ids import HostId
from inventory.domain.placement import AddressRoom, Explanation, GroupRule, PlacementRequest, Refusal, miss_text_code
from inventory.domain.system import SpreadLevel
from tests.support.placement import entry, member, request, snapshot, zone

HARD = GroupRule(group="web", spread=SpreadLevel.HOST, is_hard=True)
TOGETHER = GroupRule(
    group="web", spread=SpreadLevel.HOST, is_hard=True, is_affinity=True, existing_host_ids=(HostId("host_00002"),)
)
HOSTS = [
    entry(0),
    entry(1, in_zone=zone("b"), vcpu=128),
    entry(2, admin_state=AdminState.CORDONED),
    entry(3, pool_mlps_max=1),
    entry(4),
]

CASES = [
    request(member("m", vcpu=99)),
    request(member("m", vcpu=99, memory_mib=10**9)),
    request(member("m", vcpu=40)),
    request(member("m", disks=(("standard", 10**6),))),
    request(member("m", arch="riscv64")),
    request(member("m", pinned="host_00002")),
    request(member("m", traits=("tpm",))),
    request(member("m"), rules=(TOGETHER,)),
    request(member("m", networks=("n",)), network_hosts={"n": HostId("host_00003")}),
    request(*(member(f"m{n}") for n in range(3)), rules=(HARD,)),
    request(member("a", networks=("n",)), member("b", networks=("n",)), rules=(HARD,)),
    request(*(member(f"m{n}") for n in range(70))),
    request(
        member("a", networks=("n",)),
        addresses=AddressRoom(segments={"n": {HostId("host_00000"): 0, HostId("host_00004"): 0}}, segment_size=5),
    ),
    request(
        member("a", networks=("n", "o")),
        addresses=AddressRoom(segments={"n": {HostId("host_00000"): 3}}, segment_size=5, block_count=0),
    ),
]


#: Added where reservations are known (``controller.workflows.later``).
OF_RESERVATIONS = {"placement.suggest.later", "placement.suggest.draw"}


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def check(text: Text, params: set[str]) -> None:
    assert fields(text.zh) <= params
    assert fields(text.en) <= params


def page_of(asked: PlacementRequest) -> Explanation:
    answer = decide(asked, snapshot(HOSTS))
    assert isinstance(answer, Refusal)
    return answer.explanations[0]


@pytest.mark.parametrize("asked", CASES)
def test_what_an_explanation_says_has_texts_with_its_parameters(asked: PlacementRequest) -> None:
    page = page_of(asked)
    assert page.misses
    for miss in page.misses:
        check(TEXTS[miss_text_code(miss.filter, miss.params)], set(miss.params) | {"host"})
    for code, params in page.suggestions:
        check(TEXTS[code], set(params))


def test_the_cases_give_every_suggestion_there_is() -> None:
    given = {code for asked in CASES for code, _ in page_of(asked).suggestions}
    assert given | OF_RESERVATIONS == {code for code in TEXTS if code.startswith("placement.suggest.")}


def test_every_filter_has_a_name_and_a_text() -> None:
    for name in FILTER_NAMES:
        assert f"placement.filter.{name}" in TEXTS
        assert f"placement.miss.{name}" in TEXTS


def test_every_error_code_of_the_scheduler_has_a_text_with_a_cure() -> None:
    raised = set()
    for module in (units, policy, gang, misses, suggest):
        raised |= set(re.findall(r'(?:Invalid|_refuse_twice)\(\s*"(placement\.\w+)"', inspect.getsource(module)))
    assert len(raised) >= 8
    for code in raised | {"placement.no_host_fits"}:
        assert TEXTS[code].cure_zh
        assert TEXTS[code].cure_en
        assert TEXTS[code].actor
