"""Fixtures of the stories: one furnished service per module."""

from collections.abc import Iterator

import pytest

from tests.support.service import ServiceUnderTest, service


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceUnderTest]:
    """A running service with a small city and two simulated hosts."""
    with service(tmp_path_factory.mktemp("service")) as found:
        yield found
