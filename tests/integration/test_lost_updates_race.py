"""Writers let go at one moment, over HTTP on PostgreSQL: of those who read the same one wins; a tag is of what was written."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from controller.identity.caller import Role
from inventory.store.engine import Database
from tests.integration.test_lost_updates import DOCUMENTS, SITE
from tests.support.api import YAML, Service, service_on
from tests.support.race import race

pytestmark = pytest.mark.postgres
CONTENDERS, ROUNDS = 8, 12
LIMIT = "/v1/quotas/civil/vcpu"


@dataclass(frozen=True)
class Written:
    """Something that is replaced as a whole: how it is read and how a number is written into it."""

    role: Role
    read: Callable[[httpx.Client, int], httpx.Response]
    write: Callable[[httpx.Client, int, str], httpx.Response]


def _document(path: str) -> Written:
    def write(client: httpx.Client, number: int, tag: str) -> httpx.Response:
        return client.post(
            path, content=DOCUMENTS[path].format(number=number, project="P-portal").encode(), headers={**YAML, "If-Match": tag}
        )

    return Written(Role.FINANCE, lambda client, _number: client.get(path), write)


def _limit() -> Written:
    def write(client: httpx.Client, number: int, tag: str) -> httpx.Response:
        return client.put(LIMIT, json={"mode": "limit", "limit": number}, headers={"If-Match": tag})

    return Written(Role.OPERATOR, lambda client, _number: client.get(LIMIT), write)


def _site() -> Written:
    def send(client: httpx.Client, verb: str, number: int, tag: str) -> httpx.Response:
        return client.post(f"/v1/site/{verb}", content=SITE.format(vcpu=number).encode(), headers={**YAML, "If-Match": tag})

    return Written(
        Role.OPERATOR,
        lambda client, number: send(client, "plan", number, "*"),
        lambda client, number, tag: send(client, "import", number, tag),
    )


WRITTEN = {**{path: _document(path) for path in DOCUMENTS}, LIMIT: _limit(), "/v1/site": _site()}


def _number(round_: int, contender: int) -> int:
    """Return another number for every write, within what each kind allows."""
    return 1 + round_ * CONTENDERS + contender


@pytest.fixture
def platform(postgres_database: Database, tmp_path: Path) -> Iterator[Service]:
    with service_on(postgres_database, tmp_path) as found:
        yield found


@pytest.fixture
def beside(platform: Service) -> Iterator[list[Service]]:
    """One service for each contender."""
    with contextlib.ExitStack() as runners:
        yield [platform.beside(runners.enter_context(asyncio.Runner())) for _ in range(CONTENDERS)]


@pytest.mark.parametrize("name", WRITTEN)
def test_of_writers_who_read_the_same_exactly_one_writes(platform: Service, beside: list[Service], name: str) -> None:
    written = WRITTEN[name]
    reader, clients = platform.client(written.role), [one.client(written.role) for one in beside]
    tag, accepted = [""], dict[int, int]()

    def before(round_: int) -> None:
        tag[0] = written.read(reader, _number(round_, CONTENDERS)).headers["ETag"]

    def attempt(round_: int, contender: int) -> bool:
        answer = written.write(clients[contender], _number(round_, contender), tag[0])
        if answer.status_code == 412:
            assert answer.json()["code"] == "request.if_match_stale"
            return False
        assert answer.status_code == 200, answer.text
        accepted[round_] = _number(round_, contender)
        return True

    result = race(attempt, contenders=CONTENDERS, rounds=ROUNDS, between=before, threads=CONTENDERS)
    assert result.wins == (1,) * ROUNDS


@pytest.mark.parametrize("name", WRITTEN)
def test_the_tag_that_answers_a_write_is_of_what_it_wrote_whoever_wrote_after_it(
    platform: Service, beside: list[Service], name: str
) -> None:
    written = WRITTEN[name]
    reader, clients = platform.client(written.role), [one.client(written.role) for one in beside]
    tags: dict[int, str] = {}

    def attempt(round_: int, contender: int) -> bool:
        number = _number(round_, contender)
        answer = written.write(clients[contender], number, "*")
        assert answer.status_code == 200, answer.text
        tags[number] = answer.headers["ETag"]
        return True

    race(attempt, contenders=CONTENDERS, rounds=ROUNDS, between=lambda _round: None, threads=CONTENDERS)
    for number, tag in tags.items():
        # Nobody else writes now: the same content has the same tag.
        assert written.write(reader, number, "*").status_code == 200
        assert written.read(reader, number).headers["ETag"] == tag, number
