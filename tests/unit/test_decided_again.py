"""The one loop of all that decide and then promise: again where the picture was old, a bounded number of times."""

import pytest

from controller.workflows.decided_again import decided_again
from inventory.domain.errors import Unavailable


class Old(Exception):
    """The picture was old."""


class Scripted:
    """Meets an old picture so many times, then answers."""

    def __init__(self, old_count: int) -> None:
        self.old_count, self.calls = old_count, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.old_count:
            raise Old(self.calls)
        return "held"


def test_it_is_decided_again_until_it_holds_and_each_old_picture_is_told() -> None:
    once, told = Scripted(2), list[str]()
    assert decided_again(once, tries=3, old=(Old,), heard=lambda error: told.append(str(error))) == "held"
    assert (once.calls, told) == (3, ["1", "2"])


def test_it_ends_with_too_busy_after_so_many_tries() -> None:
    once = Scripted(100)
    with pytest.raises(Unavailable) as busy:
        decided_again(once, tries=3, old=(Old,))
    assert (busy.value.code, busy.value.params["tries"], once.calls) == ("ticket.too_busy", 3, 3)


def test_anything_else_is_not_tried_again() -> None:
    once = Scripted(1)
    with pytest.raises(Old):
        decided_again(once, tries=3, old=(KeyError,))
    assert once.calls == 1
