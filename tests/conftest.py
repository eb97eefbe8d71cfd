"""Options of all tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--update-golden``: golden files are written again instead of compared; read the diff."""
    parser.addoption("--update-golden", action="store_true", help="write the golden files again instead of comparing")


#: Tests with guests of their own run one after the other: emulated guests side by side only wait for each other.
_WITH_GUESTS = ("/libvirt/", "test_libvirt_conformance", "test_guest_image_boots", "test_host_preparation")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests with guests to one worker."""
    for item in items:
        if any(part in item.path.as_posix() for part in _WITH_GUESTS):
            item.add_marker(pytest.mark.xdist_group("libvirt"))


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written again."""
    return bool(request.config.getoption("--update-golden"))
