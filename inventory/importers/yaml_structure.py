"""What YAML's parser makes of a text, as far as it gets: which places are structure, and which are text. Mending asks."""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.events import Event, MappingEndEvent, MappingStartEvent, ScalarEvent, SequenceEndEvent, SequenceStartEvent

#: Line and column, both from 0.
Place = tuple[int, int]
LINE_END = re.compile(r"(\r\n|\r|\n)")


@dataclass(slots=True)
class Structure:
    """What the parser makes of a text, as far as it gets."""

    #: Where texts stand, without their quotes: (line, column) from and to.
    texts: list[tuple[Place, Place]] = field(default_factory=list)
    #: Everything before this has been understood.
    reached: Place = (0, 0)
    _opened: list[Place | None] = field(default_factory=list)

    def take(self, event: Event) -> None:
        """Take the next event of the parser."""
        start, end = _place(event.start_mark), _place(event.end_mark)
        self.reached = max(self.reached, end)
        if isinstance(event, ScalarEvent):
            quotes = 1 if event.style in ('"', "'") else 0
            self.texts.append(((start[0], start[1] + quotes), (end[0], end[1] - quotes)))
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._opened.append(start if event.flow_style else None)
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            self._opened.pop()

    def fail(self) -> None:
        """Take back what stands in brackets that never closed."""
        self.reached = min([self.reached, *(place for place in self._opened if place is not None)])

    def is_text(self, start: Place, end: Place) -> bool:
        """Tell whether a place is no structure: it is in a text, or not understood."""
        return end > self.reached or any(first < end and start < last for first, last in self.texts)


def _place(mark: Any) -> Place:
    """Return line and column (from 0) of a mark; the parser always sets one."""
    return mark.line, mark.column


def structure_of(text: str) -> Structure:
    """Return what the parser makes of a text."""
    found = Structure()
    loader = yaml.CSafeLoader(LINE_END.sub("\n", text))
    try:
        while loader.check_event():
            event = loader.get_event()
            assert event is not None, "check_event said there is one"
            found.take(event)
    except yaml.YAMLError:
        found.fail()
    finally:
        loader.dispose()
    return found
