"""Hosts for the conformance suite."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from drivers.conformance import Harness
from tests.support.libvirt_boots import boot_counts
from tests.support.libvirt_host import TEST_URI, behind, define_pool, demo_image, libvirt_harness, memory_harness
from tests.support.libvirt_meddling import edit_stored, meddle_card, unplug_disk
from tests.support.libvirtd import private_libvirtd
from tests.support.scratch import directory_on_disk


@pytest.fixture(name="libvirt_harness", scope="session")
def _libvirt_harness() -> Iterator[Harness]:
    """A private libvirtd and QEMU."""
    with directory_on_disk("lv") as base, private_libvirtd(base) as host:
        define_pool(host.uri)
        with boot_counts(host.uri) as counts:
            harness = libvirt_harness(host, demo_image(direct_boot=True), counts.of)
            yield replace(
                harness,
                edit_stored=partial(edit_stored, host.uri),
                unplug_disk=partial(unplug_disk, host.uri),
                meddle_card=partial(meddle_card, host.uri),
            )


@pytest.fixture(name="memory_harness", scope="session")
def _memory_harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    """libvirt's test driver; it lives as long as one connection to it is open."""
    directory: Path = tmp_path_factory.mktemp("memory")
    with behind(TEST_URI):
        yield memory_harness(directory)
