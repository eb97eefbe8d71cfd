"""What keeps the start of the controller short: loading modules is most of it."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module


@contextmanager
def without(package: str) -> Iterator[None]:
    """Have imports within the block find no such package, unless it is there already."""
    is_loaded = package in sys.modules
    if not is_loaded:
        # None makes ``import`` raise ModuleNotFoundError (importlib's documentation, "The import statement").
        sys.modules[package] = None  # type: ignore[assignment]  # typeshed knows modules only
    try:
        yield
    finally:
        if not is_loaded:
            del sys.modules[package]


@contextmanager
def loading_lean() -> Iterator[None]:
    """Load what the controller is made of without what only makes it slow; a start that fails leaves the process as it was.

    Modules make no garbage worth looking for: the search through all of them again and again was an eighth of the start. It
    goes on with ``memory.spare_what_stays``, or with the end of the block.

    structlog loads rich, and with it Pygments and attrs, for traces in colours; the controller's log has none. That was
    another twelfth.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        with without("rich"):
            import_module("structlog")
        yield
    finally:
        if was_on:
            gc.enable()
