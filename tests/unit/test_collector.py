"""The search for dead cycles rests while a group is written, and goes on however that ends."""

import gc

import pytest

from inventory.store.collector import put_off


def test_the_search_rests_in_the_block_and_goes_on_behind_it() -> None:
    assert gc.isenabled()
    with put_off():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_the_search_goes_on_after_a_failure() -> None:
    with pytest.raises(ZeroDivisionError), put_off():
        raise ZeroDivisionError
    assert gc.isenabled()


def test_whoever_searches_by_themselves_is_left_alone() -> None:
    gc.disable()
    try:
        with put_off():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
