"""The generic YAML reader: bytes in, a tree of text nodes with line and column out, or every problem at once.

Tickets and site documents are read by it. It knows YAML and people's slips, not fields: scalars stay text (no YAML 1.1
guessing: ``on``, ``0571`` and ``22:30`` mean what is written), and what makes YAML dangerous (anchors, aliases, tags,
directives, depth, size) is refused before a tree exists. ``shapes`` gives the tree its types.
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from inventory.domain.errors import Invalid, Problem, Where

MAX_BYTES = 262_144
MAX_DEPTH = 20
MAX_NODES = 20_000
MAX_KEY_LENGTH = 64
#: More problems than this are counted, not listed.
MAX_PROBLEMS = 100
_MAX_SUSPECTS_PER_NODE = 10
_EXCERPT_LENGTH = 60

#: Punctuation that Chinese input methods leave behind, and what YAML wants in its place.
FULL_WIDTH = {
    "：": ": ",
    "，": ", ",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "【": "[",
    "】": "]",
    "［": "[",
    "］": "]",
    "（": "(",
    "）": ")",
    "｛": "{",
    "｝": "}",
    "＃": "#",
    "\u3000": " ",
}
_FULL_WIDTH = frozenset(FULL_WIDTH)
#: Line breaks that only YAML sees, invisible characters and those that turn the direction of text around (CVE-2021-42574).
_INVISIBLE = frozenset("\x85\u2028\u2029\u200b\u200e\u200f\u2060\ufeff\ufffe\uffff") | {
    chr(c) for c in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


class NodeKind(StrEnum):
    """What a node is."""

    MAPPING = "mapping"
    SEQUENCE = "sequence"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the document, with its place."""

    kind: NodeKind
    where: Where
    #: Content of a text node, never interpreted.
    text: str = ""
    #: Written without quotes and not as a block.
    is_plain: bool = False
    #: Stands between brackets or braces.
    in_flow: bool = False
    #: Full-width punctuation in a plain text, in order: a slip unless the field holds free text.
    suspects: tuple[Problem, ...] = ()
    #: Where the text runs over several lines, ``is_plain`` texts are folded.
    is_multiline: bool = False
    items: tuple["Node", ...] = ()
    entries: tuple["Entry", ...] = ()

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing was written (or YAML's own words for nothing)."""
        return self.kind is NodeKind.TEXT and self.is_plain and self.text in ("", "~", "null", "Null", "NULL")

    def mapping(self) -> dict[str, "Node"]:
        """Return the values by key (empty for other kinds)."""
        return {entry.key: entry.value for entry in self.entries}

    def excerpt(self) -> str:
        """Return the beginning of what was written, for messages."""
        if self.kind is not NodeKind.TEXT:
            return "{…}" if self.kind is NodeKind.MAPPING else "[…]"
        return excerpt(self.text)


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a mapping (NFKC) and its value."""

    key: str
    where: Where
    value: Node


@dataclass(frozen=True, slots=True)
class Document:
    """A document that was read."""

    root: Node
    #: Of the bytes as submitted.
    sha256: str
    #: Things worth saying that are not wrong.
    notices: tuple[Problem, ...]

    def places(self) -> dict[str, Where]:
        """Return every value's place by its JSON pointer."""
        found: dict[str, Where] = {}
        todo = [self.root]
        while todo:
            node = todo.pop()
            found[node.where.pointer] = node.where
            todo += [*node.items, *(entry.value for entry in node.entries)]
        return found


def excerpt(text: str) -> str:
    """Return ``text`` short enough for a message, on one line."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _EXCERPT_LENGTH else flat[: _EXCERPT_LENGTH - 1] + "…"


def refuse(problems: Iterable[Problem]) -> Invalid:
    """Return the error that carries all ``problems``, in the order of the document, a bounded number of them."""
    ordered = sorted(problems, key=lambda p: (p.where.line or 0, p.where.column or 0) if p.where else (0, 0))
    unique = list({(p.code, p.where, str(sorted(p.params.items()))): p for p in ordered}.values())
    if len(unique) > MAX_PROBLEMS:
        unique = [*unique[:MAX_PROBLEMS], Problem("document.more_problems", {"count": len(unique) - MAX_PROBLEMS})]
    return Invalid(unique[0].code, problems=unique, **unique[0].params)


def read_document(data: bytes, *, max_bytes: int = MAX_BYTES) -> Document:
    """Read one YAML document.

    Raises:
        Invalid: with every problem that was found.
    """
    if len(data) > max_bytes:
        raise refuse([Problem("document.too_large", {"bytes": len(data), "max_bytes": max_bytes})])
    written, notices = decode_document(data)
    text = written.replace("\r\n", "\n").replace("\r", "\n")
    problems = _control_characters(text)
    if problems:
        raise refuse(problems)
    builder = _Builder(lines=text.split("\n"))
    _feed(builder, text)
    if builder.problems:
        raise refuse(builder.problems)
    if builder.root is None or (builder.root.is_empty):
        raise refuse([Problem("document.empty", {}, Where(1, 1))])
    return Document(builder.root, hashlib.sha256(data).hexdigest(), notices)


def decode_document(data: bytes) -> tuple[str, tuple[Problem, ...]]:
    """Return the text of a document with its line ends as written, and what is worth saying of its encoding.

    Raises:
        Invalid: ``document.encoding``.
    """
    notices: tuple[Problem, ...] = ()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise refuse([Problem("document.encoding", {"line": 1}, Where(1, 1))])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as not_utf8:
        line = data.count(b"\n", 0, not_utf8.start) + 1
        try:
            text = data.decode("gb18030")
        except UnicodeDecodeError:
            raise refuse([Problem("document.encoding", {"line": line}, Where(line, 1))]) from not_utf8
        notices = (Problem("document.read_as_gb18030", {}, Where(line, 1)),)
    return text, notices


def is_forbidden_character(char: str) -> bool:
    """Tell whether ``char`` may stand in no document: control characters, invisible ones, halves of characters."""
    return (unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t") or char in _INVISIBLE


def _control_characters(text: str) -> list[Problem]:
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return []
    problems: list[Problem] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.isprintable():
            continue
        bad = ((column, char) for column, char in enumerate(line, start=1) if is_forbidden_character(char))
        problems += [
            Problem("document.control_character", {"character": f"U+{ord(char):04X}"}, Where(number, column))
            for column, char in islice(bad, _MAX_SUSPECTS_PER_NODE)
        ]
    return problems


def _feed(builder: "_Builder", text: str) -> None:
    loader = yaml.CSafeLoader(text)
    try:
        while not builder.is_done and loader.check_event():
            event = loader.get_event()
            assert event is not None, "check_event said there is one"
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        builder.problems += _explain_syntax(error, builder.lines)
    except yaml.YAMLError as error:
        builder.problems.append(Problem("document.syntax", {"reason": excerpt(str(error))}, Where(1, 1)))
    finally:
        loader.dispose()


def _explain_syntax(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> list[Problem]:
    """Return the syntax error, preceded by the slips on its lines that usually cause it."""
    mark = error.problem_mark or error.context_mark
    last = min(mark.line if mark else 0, len(lines) - 1)
    first = min(error.context_mark.line, last) if error.context_mark else last
    causes: list[Problem] = []
    # The scanner may notice a slip only at the next line; a whole open block would be noise, and so are well-formed entries.
    for index in sorted({*range(first, min(first + 3, last)), max(last - 1, 0), last}):
        if index == last or ": " not in lines[index]:
            causes += _line_slips(lines[index], index + 1)
    column = (mark.column if mark else 0) + 1
    return [*causes, Problem("document.syntax", {"reason": excerpt(error.problem or "")}, Where(last + 1, column))]


def _line_slips(line: str, number: int) -> list[Problem]:
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    if "\t" in indent:
        return [Problem("document.tab", {}, Where(number, indent.index("\t") + 1))]
    slips = []
    quote = ""
    for index, char in enumerate(line):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char == "#" and (index == 0 or line[index - 1] in " \t"):
            break
        elif char in _FULL_WIDTH:
            slips.append(_full_width(char, Where(number, index + 1)))
    return slips[:_MAX_SUSPECTS_PER_NODE]


def _position(mark: Any) -> tuple[int, int]:
    """Return line and column (from 0) of a mark; the parser always sets one."""
    assert mark is not None
    return mark.line, mark.column


def _full_width(char: str, where: Where) -> Problem:
    return Problem("document.full_width", {"character": char, "fix": FULL_WIDTH[char]}, where)


@dataclass(slots=True)
class _Frame:
    """A mapping or sequence whose end was not read yet."""

    kind: NodeKind
    where: Where
    in_flow: bool
    #: Its own content stands between brackets.
    is_flow: bool
    items: list[Node] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    #: Line of each key's first use.
    lines: dict[str, int] = field(default_factory=dict)
    key: str | None = None
    key_where: Where | None = None

    def child_pointer(self) -> str:
        step = str(len(self.items)) if self.kind is NodeKind.SEQUENCE else (self.key or "")
        return self.where.pointer + "/" + step.replace("~", "~0").replace("/", "~1")

    @property
    def expects_key(self) -> bool:
        return self.kind is NodeKind.MAPPING and self.key is None


@dataclass(slots=True)
class _Builder:
    """Builds the tree from parser events on a stack of its own: no recursion, limits as they are reached."""

    lines: list[str]
    problems: list[Problem] = field(default_factory=list)
    root: Node | None = None
    is_done: bool = False
    _stack: list[_Frame] = field(default_factory=list)
    _nodes: int = 0
    _documents: int = 0

    def take(self, event: Event) -> None:
        """Take the next event of the parser."""
        if isinstance(event, DocumentStartEvent):
            self._start_document(event)
        elif isinstance(event, AliasEvent):
            self._refuse_features(event)
            self._count()
            self._place(Node(NodeKind.TEXT, self._where(event)))
        elif isinstance(event, ScalarEvent):
            self._refuse_features(event)
            self._count()
            self._scalar(event)
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._refuse_features(event)
            self._count()
            self._open(event)
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            self._close()

    def _stop(self, code: str, event: Event, **params: Any) -> None:
        self.problems.append(Problem(code, params, self._where(event)))
        self.is_done = True

    def _start_document(self, event: DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            self._stop("document.several_documents", event)
        elif event.version or event.tags:
            self.problems.append(Problem("document.feature_refused", {"feature": "%"}, self._where(event)))

    def _refuse_features(self, event: AliasEvent | ScalarEvent | MappingStartEvent | SequenceStartEvent) -> None:
        sign = "*" if isinstance(event, AliasEvent) else "&"
        features = [sign + excerpt(event.anchor)] if event.anchor is not None else []
        tag = None if isinstance(event, AliasEvent) else event.tag
        if tag is not None:
            features.append(excerpt(tag))
        where = self._where(event)
        self.problems += [Problem("document.feature_refused", {"feature": feature}, where) for feature in features]

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self.problems.append(Problem("document.too_many_values", {"max_count": MAX_NODES}))
            self.is_done = True

    def _where(self, event: Event) -> Where:
        line, column = _position(event.start_mark)
        pointer = self._stack[-1].child_pointer() if self._stack else ""
        return Where(line + 1, column + 1, pointer)

    def _open(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        if len(self._stack) >= MAX_DEPTH:
            self._stop("document.too_deep", event, max_depth=MAX_DEPTH)
            return
        if self._stack and self._stack[-1].expects_key:
            self._stop("document.key_not_text", event)
            return
        kind = NodeKind.MAPPING if isinstance(event, MappingStartEvent) else NodeKind.SEQUENCE
        is_flow = bool(event.flow_style)
        self._stack.append(_Frame(kind, self._where(event), bool(self._stack) and self._stack[-1].is_flow, is_flow))

    def _close(self) -> None:
        frame = self._stack.pop()
        node = Node(frame.kind, frame.where, in_flow=frame.in_flow, items=tuple(frame.items), entries=tuple(frame.entries))
        self._place(node)

    def _scalar(self, event: ScalarEvent) -> None:
        where = self._where(event)
        is_plain = event.style is None or event.style == ""
        suspects = self._suspects(event, where) if is_plain and not _FULL_WIDTH.isdisjoint(event.value) else ()
        self._check_escapes(event, where)
        node = Node(
            NodeKind.TEXT,
            where,
            text=event.value,
            is_plain=is_plain,
            in_flow=bool(self._stack) and self._stack[-1].is_flow,
            suspects=suspects,
            is_multiline=_position(event.start_mark)[0] != _position(event.end_mark)[0],
        )
        self._place(node)

    def _check_escapes(self, event: ScalarEvent, where: Where) -> None:
        """Refuse characters that only an escape such as ``\\x1b`` could bring in."""
        if event.style != '"' or event.value.isprintable():
            return
        bad = next((char for char in event.value if is_forbidden_character(char)), None)
        if bad is not None:
            self.problems.append(Problem("document.control_character", {"character": f"U+{ord(bad):04X}"}, where))

    def _suspects(self, event: ScalarEvent, where: Where) -> tuple[Problem, ...]:
        found: list[Problem] = []
        start, end = _position(event.start_mark), _position(event.end_mark)
        for index in range(start[0], min(end[0] + 1, len(self.lines))):
            line = self.lines[index]
            first = start[1] if index == start[0] else 0
            last = end[1] if index == end[0] else len(line)
            found += [
                _full_width(line[column], Where(index + 1, column + 1, where.pointer))
                for column in range(first, min(last, len(line)))
                if line[column] in _FULL_WIDTH
            ]
            if len(found) >= _MAX_SUSPECTS_PER_NODE:
                break
        return tuple(found[:_MAX_SUSPECTS_PER_NODE])

    def _place(self, node: Node) -> None:
        if not self._stack:
            self.root = node
            return
        frame = self._stack[-1]
        if frame.kind is NodeKind.SEQUENCE:
            frame.items.append(node)
        elif frame.key is None:
            self._take_key(frame, node)
        else:
            assert frame.key_where is not None
            frame.entries.append(Entry(frame.key, frame.key_where, node))
            frame.key = frame.key_where = None

    def _take_key(self, frame: _Frame, node: Node) -> None:
        key = unicodedata.normalize("NFKC", node.text).strip()
        self.problems += node.suspects
        if len(key) > MAX_KEY_LENGTH:
            params = {"key": excerpt(key), "max_length": MAX_KEY_LENGTH}
            self.problems.append(Problem("document.key_too_long", params, node.where))
            key = key[:MAX_KEY_LENGTH]
        frame.key = key
        frame.key_where = where = Where(node.where.line, node.where.column, frame.child_pointer())
        if key in frame.lines:
            params = {"key": key, "first_line": frame.lines[key], "line": where.line}
            self.problems.append(Problem("document.duplicate_key", params, where))
        frame.lines.setdefault(key, where.line or 0)
