"""Slips of the pen that can be put right without guessing: documents are mended by ``allot check --fix`` with this.

A mend is only a spelling: full-width punctuation where YAML wants its own, tabs in front of a line, characters nobody sees, and
the encoding. The parser itself judges each one: it stays where the character becomes part of YAML's structure, and never where
it would become part of a text, because then only the author knows what was meant. Pure; nothing is written here.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from inventory.domain.errors import Invalid, Problem
from inventory.importers.document import FULL_WIDTH, MAX_BYTES, decode_document
from inventory.importers.yaml_structure import LINE_END, Structure, structure_of

#: Characters without width: deleting one changes nothing a person has seen.
UNSEEN = frozenset("\u200b\u2060\ufeff")
#: More rounds would not end: the reader names a bounded number of slips at a time.
_MAX_ROUNDS = 300
#: A tab in front of a line is taken for as much as most documents indent.
_TAB = "  "
#: Tells what is wrong with a text, empty where nothing is.
ProblemsOf = Callable[[bytes], Sequence[Problem]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """One character that is spelt otherwise now; line and column are those of the document as it was."""

    line: int
    column: int
    was: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """A document before and after."""

    before: str
    after: str
    mends: tuple[Mend, ...]
    #: It was GB18030 and is UTF-8 now.
    is_encoded_anew: bool
    has_mark: bool = False

    @property
    def is_changed(self) -> bool:
        """Tell whether there is anything to write."""
        return bool(self.mends) or self.is_encoded_anew

    @property
    def data(self) -> bytes:
        """Return the bytes to write: line ends and a byte order mark stay as they were."""
        return self.after.encode("utf-8-sig" if self.has_mark else "utf-8")


def mend(data: bytes, problems_of: ProblemsOf) -> Mended:
    """Return a document with its slips put right as far as that needs no guess.

    Args:
        data: the document as it is.
        problems_of: the reader whose slips are mended, for example the language of tickets.

    Raises:
        Invalid: the bytes are no text, or too many to be read.
    """
    text, notices = decode_document(data) if len(data) <= MAX_BYTES else ("", ())
    page = _Page(text)
    refused: set[tuple[int, int]] = set()
    for _ in range(_MAX_ROUNDS):
        wanted = {place: now for place, now in _wanted(page, problems_of) if place not in refused}
        if not wanted:
            break
        refused |= wanted.keys() - page.take(wanted)
    return Mended(
        before=text,
        after=page.text(),
        mends=tuple(page.mends()),
        is_encoded_anew=any(n.code == "document.read_as_gb18030" for n in notices),
        has_mark=data.startswith(b"\xef\xbb\xbf"),
    )


def _wanted(page: "_Page", problems_of: ProblemsOf) -> Iterator[tuple[tuple[int, int], str]]:
    for problem in problems_of(page.text().encode()):
        if problem.where is None or problem.where.line is None or problem.where.column is None:
            continue
        row = problem.where.line - 1
        index = page.index_of(row, problem.where.column - 1)
        if problem.code == "document.full_width":
            yield (row, index), page.spelling(row, index)
        elif problem.code == "document.control_character" and page.cells[row][index] in UNSEEN:
            yield (row, index), ""
        elif problem.code == "document.tab":
            yield from page.tabs()


class _Page:
    """A document as lines of characters, each with its present spelling: places stay those of the document as it was."""

    def __init__(self, text: str) -> None:
        parts = LINE_END.split(text)
        self._ends = [*parts[1::2], ""]
        self._was = parts[0::2]
        self.cells = [list(line) for line in self._was]

    def text(self) -> str:
        """Return the text as it is spelt now."""
        return "".join("".join(line) + end for line, end in zip(self.cells, self._ends, strict=True))

    def index_of(self, row: int, column: int) -> int:
        """Return which character of the document as it was stands at a column now."""
        for index, cell in enumerate(self.cells[row]):
            column -= len(cell)
            if column < 0:
                return index
        return len(self.cells[row])

    def columns(self, row: int, index: int) -> tuple[int, int]:
        """Return from where to where a character is spelt now."""
        start = sum(len(cell) for cell in self.cells[row][:index])
        return start, start + len(self.cells[row][index])

    def spelling(self, row: int, index: int) -> str:
        """Return how YAML spells a full-width character here: no second space, and two for a wide one in front of a line."""
        cell, behind = self._was[row][index], self._was[row][index + 1 : index + 2]
        if cell == "\u3000" and not self._was[row][:index].strip():
            return "  "
        now = FULL_WIDTH[cell]
        return now.rstrip() if now.strip() and (not behind or behind.isspace()) else now

    def tabs(self) -> Iterator[tuple[tuple[int, int], str]]:
        """Yield every tab in front of a line, if the document indents with tabs alone: else their width is a guess."""
        fronts = [line[: len(line) - len(line.lstrip(" \t"))] for line in self._was]
        if any(" " in front for front in fronts):
            return
        yield from (((row, index), _TAB) for row, front in enumerate(fronts) for index in range(len(front)))

    def mends(self) -> Iterator[Mend]:
        """Yield what is spelt otherwise than it was."""
        for row, line in enumerate(self._was):
            for index, was in enumerate(line):
                if self.cells[row][index] != was:
                    yield Mend(line=row + 1, column=index + 1, was=was, now=self.cells[row][index])

    def take(self, wanted: dict[tuple[int, int], str]) -> set[tuple[int, int]]:
        """Spell the wanted places anew, as far as the parser agrees; return those that stayed."""
        # All at once first, for brackets that close on another line; then line by line; then one by one.
        if self._try(wanted):
            return set(wanted)
        taken: set[tuple[int, int]] = set()
        for _, group in groupby(sorted(wanted), key=lambda place: place[0]):
            line = {place: wanted[place] for place in group}
            while line:
                if self._try(line):
                    taken |= line.keys()
                    break
                if not self._drop_texts(line):
                    taken |= {place for place in line if self._try({place: line[place]})}
                    break
        return taken

    def _try(self, wanted: dict[tuple[int, int], str]) -> bool:
        """Keep the new spellings if all of them are structure."""
        before = self._put(wanted)
        if self._texts(wanted):
            self._put(before)
            return False
        return True

    def _drop_texts(self, line: dict[tuple[int, int], str]) -> bool:
        """Take out the places that would become text; tell whether there were any, but not all of them."""
        before = self._put(line)
        texts = self._texts(line)
        self._put(before)
        if len(texts) == len(line):
            return False
        for place in texts:
            del line[place]
        return True

    def _put(self, wanted: dict[tuple[int, int], str]) -> dict[tuple[int, int], str]:
        before = {(row, index): self.cells[row][index] for row, index in wanted}
        for (row, index), now in wanted.items():
            self.cells[row][index] = now
        return before

    def _texts(self, wanted: dict[tuple[int, int], str]) -> set[tuple[int, int]]:
        """Return the places that would be no structure: in a text, in a comment, or where the parser does not get to."""
        structure = structure_of(self.text())
        found = set()
        for row, index in wanted:
            start, end = self.columns(row, index)
            if start < end and (structure.is_text((row, start), (row, end)) or self._is_comment(structure, row, start)):
                found.add((row, index))
        return found

    def _is_comment(self, structure: Structure, row: int, column: int) -> bool:
        line = "".join(self.cells[row])[:column]
        signs = (at for at, char in enumerate(line) if char == "#" and (at == 0 or line[at - 1].isspace()))
        return any(not structure.is_text((row, at), (row, at + 1)) for at in signs)


def problems_of_reader(read: Callable[[bytes], object]) -> ProblemsOf:
    """Return what asks a reader that raises for the problems it finds."""

    def problems(data: bytes) -> Sequence[Problem]:
        try:
            read(data)
        except Invalid as refused:
            return tuple(refused.problems)
        return ()

    return problems


def shown(text: str) -> str:
    """Return a line on which tabs and unseen characters can be seen."""
    return "".join(f"<U+{ord(c):04X}>" if c in UNSEEN or c in "\t\u3000" else c for c in text)
