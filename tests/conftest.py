"""Options of all tests."""

import os
import shutil
import signal
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.support.process_state import ProcessState
from tests.support.scratch import in_memory

#: `make test` draws the same cases each time, so that the same tree has the same verdict; `make test-soak` draws new ones.
#: Neither asserts a time: a machine with other work to do is slow.
_ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("door", _ANY_SPEED, derandomize=True)
settings.register_profile("soak", _ANY_SPEED, print_blob=True)
settings.load_profile("door")

# Without a set-up a traceback shows the values of its frames, and reading those of objects that other threads still make fails.
_PLAIN = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*structlog.get_config()["processors"][:-1], _PLAIN])

# In the background of a script SIGINT is ignored, and would be by every command the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_MEMORY = in_memory()
# Read when the first directory of a test is made.
if "PYTEST_DEBUG_TEMPROOT" not in os.environ and _MEMORY is not None:
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(_MEMORY)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--update-golden``: golden files are written again instead of compared; read the diff."""
    parser.addoption("--update-golden", action="store_true", help="write the golden files again instead of comparing")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: a file is run by one process, and the last one would run alone."""
    items.sort(key=lambda item: item.get_closest_marker("seeds") is None)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Give the memory back where there is nothing to look at; until then no directory goes: its name is one of a kind."""
    factory: pytest.TempPathFactory = session.config._tmp_path_factory  # type: ignore[attr-defined]
    is_worker = hasattr(session.config, "workerinput")
    if exitstatus == 0 and not is_worker and _MEMORY in factory.getbasetemp().parents:
        shutil.rmtree(factory.getbasetemp(), ignore_errors=True)


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written again."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(autouse=True)
def _the_process_stays_as_it_was() -> Iterator[None]:
    """Blame the test that leaves the process changed instead of the next one that trips over it."""
    before = ProcessState.now()
    yield
    assert ProcessState.now() == before
