"""Every word long work says of how far it is."""

from collections.abc import Callable
from itertools import pairwise

from inventory.domain.progress import WorkPhase


class Heard:
    """Hears every word of work: (phase, total) and what was reached of it."""

    def __init__(self) -> None:
        self.words: list[tuple[WorkPhase, int | None, list[int]]] = []

    def phase(self, phase: WorkPhase, total: Callable[[], int] | None = None) -> None:
        """Hear of a phase."""
        self.words.append((phase, total() if total else None, []))

    def reached(self, done: int) -> None:
        """Hear how far it is."""
        self.words[-1][2].append(done)

    def of(self, phase: WorkPhase) -> tuple[int | None, list[int]]:
        """Return what was heard last of a phase."""
        return next((total, done) for found, total, done in reversed(self.words) if found is phase)

    @property
    def phases(self) -> list[WorkPhase]:
        """Return the phases in their order, without repeats."""
        found = [phase for phase, _, _ in self.words]
        return [found[0], *(b for a, b in pairwise(found) if a is not b)]
