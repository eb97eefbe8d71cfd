"""Shapes of fields: one table says how a document is read, what it is called in Chinese, and what its JSON Schema is.

``site`` and the ticket language build their tables from these. A shape reads a node into a typed value and adds what is
wrong to the ``Reading``; it answers None then, and readers look at the problems before they use any value.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from inventory.domain.errors import Problem, Where
from inventory.importers.amounts import calendar_date, fixed_point, fold, mib, nearest_first, whole
from inventory.importers.document import FULL_WIDTH, Entry, Node, NodeKind, excerpt
from inventory.importers.pinyin import letters

#: Punctuation that is at home in Chinese prose; in prose that is one plain line it is no slip.
ALL_PUNCTUATION = "".join(FULL_WIDTH)
#: What names of offices and projects may contain.
NAME_PUNCTUATION = "（）“”【】"
_PAIRS = {"“": "”", "‘": "’", "【": "】"}


@dataclass(slots=True)
class Reading:
    """What is collected while a document is read."""

    #: Codes of the subject, for example ``ticket.unknown_field``.
    unknown_field: str
    not_offered: str
    problems: list[Problem] = field(default_factory=list)
    notices: list[Problem] = field(default_factory=list)
    #: Canonical path (``resources.servers.0.name``) of everything that was read.
    places: dict[str, Where] = field(default_factory=dict)

    def fail(self, code: str, where: Where | None, /, **params: Any) -> None:
        """Add a problem."""
        self.problems.append(Problem(code, params, where))


class Shape(Protocol):
    """How one value is read and described."""

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        """Return the typed value, or None after adding what is wrong."""

    def to_schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""


def read_text(node: Node, path: str, reading: Reading, *, allowed: str = "") -> str | None:
    """Return the text of ``node``; full-width punctuation outside quotes is a slip unless ``allowed`` in prose."""
    if node.kind is not NodeKind.TEXT:
        reading.fail("document.wrong_type", node.where, field=path, expected="text", written=node.excerpt())
        return None
    if node.is_empty or not node.text.strip():
        reading.fail("document.empty_value", node.where, field=path)
        return None
    slips = [p for p in node.suspects if not _is_prose(node, str(p.params["character"]), allowed)]
    reading.problems += slips
    return None if slips else node.text


def _is_prose(node: Node, character: str, allowed: str) -> bool:
    text = node.text.strip()
    is_wrapped = _PAIRS.get(text[0]) == text[-1]
    is_joint = node.in_flow and character in "：，"
    return character in allowed and not (node.is_multiline or is_wrapped or is_joint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prose:
    """Free text of one line, in any language."""

    max_length: int = 128
    allowed: str = NAME_PUNCTUATION
    #: A whole-match pattern, checked on the text.
    pattern: str = ""
    #: How the pattern reads to a person.
    example: str = ""

    def read(self, node: Node, path: str, reading: Reading) -> str | None:
        """Read it."""
        text = read_text(node, path, reading, allowed=self.allowed)
        if text is None:
            return None
        text = text.strip()
        if "\n" in text or "\t" in text or len(text) > self.max_length:
            reading.fail("document.bad_line", node.where, field=path, max_length=self.max_length, length=len(text))
            return None
        if self.pattern and re.fullmatch(self.pattern, text) is None:
            reading.fail("document.bad_format", node.where, field=path, written=excerpt(text), example=self.example)
            return None
        return text

    def to_schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        schema: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": self.max_length}
        return schema | ({"pattern": f"^(?:{self.pattern})$", "examples": [self.example]} if self.pattern else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A name that becomes part of machine names: small ASCII letters, digits and hyphens."""

    max_length: int = 40
    #: Shown when nothing of what was written can be kept.
    example: str = "portal"

    def pattern(self) -> str:
        """Return the whole-match pattern."""
        return rf"[a-z](?:[a-z0-9-]{{0,{self.max_length - 2}}}[a-z0-9])?"

    def read(self, node: Node, path: str, reading: Reading) -> str | None:
        """Read it."""
        text = read_text(node, path, reading)
        if text is None:
            return None
        name = fold(text)
        if re.fullmatch(self.pattern(), name) is None:
            suggestion = self.suggest(name)
            params = {"written": excerpt(name), "suggestion": suggestion, "max_length": self.max_length}
            reading.fail("document.bad_name", node.where, field=path, **params)
            return None
        return name

    def suggest(self, written: str) -> str:
        """Return a name like the one written that would be accepted; Chinese is suggested in pinyin."""
        kept = re.sub(r"[^a-z0-9]+", "-", letters(written[:64]).lower()).strip("-")
        kept = re.sub(r"^[0-9-]+", "", kept)[: self.max_length].strip("-")
        return kept or self.example

    def to_schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        return {"type": "string", "pattern": f"^{self.pattern()}$", "examples": [self.example]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A whole number within bounds; a unit a person would add may stand behind it."""

    minimum: int
    maximum: int
    suffixes: tuple[str, ...] = ()
    #: Other spellings of single values.
    words: Mapping[str, int] = field(default_factory=dict)

    def read(self, node: Node, path: str, reading: Reading) -> int | None:
        """Read it."""
        text = read_text(node, path, reading)
        if text is None:
            return None
        number = self.words.get(fold(text), whole(text, self.suffixes))
        if number is None:
            reading.fail("document.not_a_number", node.where, field=path, written=excerpt(text))
            return None
        return _in_range(number, self, node.where, path, reading)

    def to_schema(self) -> dict[str, Any]:
        """Return its JSON Schema: a number, or a text (with its unit) that the reader checks."""
        text = {"type": "string", "pattern": "^[0-9０-９]{1,9}\\s*(?:" + "|".join(self.suffixes) + ")$"}
        words: list[dict[str, Any]] = [{"enum": list(self.words)}] if self.words else []
        return {"anyOf": [{"type": "integer", "minimum": self.minimum, "maximum": self.maximum}, text, *words]}


def _in_range(number: int, bounds: "Whole | Amount", where: Where, path: str, reading: Reading) -> int | None:
    if bounds.minimum <= number <= bounds.maximum:
        return number
    unit = bounds.unit if isinstance(bounds, Amount) else ""
    params = {"number": number, "minimum": bounds.minimum, "maximum": bounds.maximum, "unit": unit}
    reading.fail("document.out_of_range", where, field=path, **params)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """Memory (in MiB) or disk (in GiB) with its unit."""

    minimum: int
    maximum: int
    #: ``MiB`` | ``GiB``: what the value counts.
    unit: str

    def read(self, node: Node, path: str, reading: Reading) -> int | None:
        """Read it."""
        text = read_text(node, path, reading)
        if text is None:
            return None
        found = mib(text)
        if found is None:
            reading.fail("document.not_an_amount", node.where, field=path, written=excerpt(text))
            return None
        amount, assumed = found
        if self.unit == "GiB":
            amount, rest = divmod(amount, 1024)
            if rest:
                reading.fail("document.not_whole_gib", node.where, field=path, written=excerpt(text))
                return None
        if assumed:
            reading.notices.append(
                Problem("document.unit_assumed", {"field": path, "written": excerpt(text), "unit": assumed}, node.where)
            )
        return _in_range(amount, self, node.where, path, reading)

    def to_schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        return {
            "type": "string",
            "pattern": "^[0-9０-９]+(?:\\.[0-9]+)?\\s*(?:[MmGgTt](?:[Ii]?[Bb])?|兆|吉|太)字?节?$",
            "examples": ["4GiB"],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Decimal:
    """A decimal that is kept exactly, as an integer in units of ten to the minus ``places``."""

    places: int
    minimum: int = 0
    maximum: int = 10**15
    #: Units that may stand behind it, with what each is worth.
    units: Mapping[str, int] = field(default_factory=dict)

    def read(self, node: Node, path: str, reading: Reading) -> int | None:
        """Read it."""
        text = read_text(node, path, reading)
        if text is None:
            return None
        number = fixed_point(text, self.places, self.units)
        if number is None or not self.minimum <= number <= self.maximum:
            reading.fail("document.not_a_decimal", node.where, field=path, written=excerpt(text), places=self.places)
            return None
        return number

    def to_schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        unit = f"(?:\\s*(?:{'|'.join(self.units)}))?" if self.units else ""
        return {"type": ["string", "number"], "pattern": f"^[0-9]{{1,9}}(?:\\.[0-9]{{1,{self.places}}})?{unit}$"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A calendar day."""

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        """Read it into a ``date``."""
        text = read_text(node, path, reading)
        if text is None:
            return None
        day = calendar_date(text)
        if day is None:
            reading.fail("document.not_a_date", node.where, field=path, written=excerpt(text))
        return day

    def to_schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        return {"type": "string", "examples": ["2027-02-28", "2027年2月28日"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of a few codes; each may be written with its Chinese label too."""

    #: Chinese label (may be empty) by code.
    labels: Mapping[str, str]
    #: Known words whose capability is not here yet.
    not_offered: Mapping[str, str] = field(default_factory=dict)

    def read(self, node: Node, path: str, reading: Reading) -> str | None:
        """Read it into the code."""
        text = read_text(node, path, reading)
        if text is None:
            return None
        word = fold(text)
        codes = {label: code for code, label in {**self.labels, **self.not_offered}.items() if label}
        code = codes.get(word, word)
        if code in self.labels:
            return code
        if code in self.not_offered:
            reading.fail(reading.not_offered, node.where, field=f"{path}: {word}")
            return None
        suggestion, _ = nearest_first(word, [spelling for item in self.labels.items() for spelling in item if spelling])
        nearest = sorted(self.labels.items(), key=lambda item: suggestion == "" or suggestion not in item)
        _, offered = nearest_first(word, [both_spellings(*item) for item in nearest])
        reading.fail(
            "document.unknown_value", node.where, field=path, written=excerpt(text), suggestion=suggestion, offered=offered
        )
        return None

    def to_schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        return {"enum": [*self.labels, *(label for label in self.labels.values() if label)]}


def both_spellings(code: str, label: str) -> str:
    """Return a code with its Chinese label, for messages."""
    return f"{code}/{label}" if label else code


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Text of several lines, kept as written."""

    max_bytes: int

    def read(self, node: Node, path: str, reading: Reading) -> str | None:
        """Read it."""
        text = read_text(node, path, reading, allowed=ALL_PUNCTUATION)
        if text is None:
            return None
        size = len(text.encode())
        if size > self.max_bytes:
            reading.fail("document.text_too_long", node.where, field=path, bytes=size, max_bytes=self.max_bytes)
            return None
        return text

    def to_schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        return {"type": "string", "minLength": 1, "maxLength": self.max_bytes}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Free names with free values."""

    max_count: int = 32

    def read(self, node: Node, path: str, reading: Reading) -> dict[str, str] | None:
        """Read it."""
        if node.kind is not NodeKind.MAPPING:
            _wrong_type(node, path, reading, "mapping")
            return None
        if len(node.entries) > self.max_count:
            reading.fail("document.too_many_items", node.where, field=path, count=len(node.entries), maximum=self.max_count)
            return None
        shape = Prose(allowed=ALL_PUNCTUATION)
        values = {entry.key: shape.read(entry.value, f"{path}.{entry.key}", reading) for entry in node.entries}
        return {key: value for key, value in values.items() if value is not None}

    def to_schema(self) -> dict[str, Any]:
        """Return its JSON Schema."""
        return {"type": "object", "maxProperties": self.max_count, "additionalProperties": {"type": "string", "maxLength": 128}}


def _wrong_type(node: Node, path: str, reading: Reading, expected: str) -> None:
    """Say what was expected; where punctuation is the cause, say that instead."""
    if node.suspects:
        reading.problems += node.suspects
    elif node.is_empty:
        reading.fail("document.empty_value", node.where, field=path)
    else:
        reading.fail("document.wrong_type", node.where, field=path, expected=expected, written=node.excerpt())


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf:
    """A list; items that are records with a ``name`` must have different ones."""

    item: Shape
    minimum: int = 0
    maximum: int = 1000
    #: Field that tells items apart, empty for plain values.
    key: str = ""

    def read(self, node: Node, path: str, reading: Reading) -> list[Any] | None:
        """Read it."""
        if node.kind is not NodeKind.SEQUENCE:
            _wrong_type(node, path, reading, "list")
            return None
        if not self.minimum <= len(node.items) <= self.maximum:
            params = {"count": len(node.items), "minimum": self.minimum, "maximum": self.maximum}
            reading.fail("document.too_many_items" if node.items else "document.empty_list", node.where, field=path, **params)
            return None
        values = []
        first_line: dict[Any, int | None] = {}
        for index, item in enumerate(node.items):
            reading.places[f"{path}.{index}"] = item.where
            value = self.item.read(item, f"{path}.{index}", reading)
            if value is None:
                continue
            name = value.get(self.key) if self.key else (value if isinstance(value, str) else None)
            if name is not None and name in first_line:
                reading.fail("document.duplicate_item", item.where, field=path, name=name, first_line=first_line[name])
            elif name is not None:
                first_line[name] = item.where.line
            values.append(value)
        return values

    def to_schema(self, at: str = "#") -> dict[str, Any]:
        """Return its JSON Schema."""
        return {
            "type": "array",
            "items": _schema_of(self.item, f"{at}/items"),
            "minItems": self.minimum,
            "maxItems": self.maximum,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOr:
    """A text, or a record in its place."""

    text: Shape
    record: "Record"

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        """Read whichever was written."""
        return (self.record if node.kind is NodeKind.MAPPING else self.text).read(node, path, reading)

    def to_schema(self, at: str = "#") -> dict[str, Any]:
        """Return its JSON Schema."""
        return {"anyOf": [self.text.to_schema(), self.record.to_schema(f"{at}/anyOf/1")]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One key of a record. Without a shape it is a key whose capability is not on this platform yet."""

    name: str
    shape: Shape | None
    zh: str = ""
    doc_zh: str = ""
    doc_en: str = ""
    required: bool = False

    def spellings(self) -> tuple[str, ...]:
        """Return the keys it may be written as."""
        return (self.name, self.zh) if self.zh else (self.name,)

    def to_schema(self, at: str = "#") -> dict[str, Any]:
        """Return its JSON Schema with its description."""
        schema = _schema_of(self.shape, at) if self.shape else {"not": {}}
        parts = [self.doc_zh, self.doc_en] if self.shape else ["本平台尚未提供。", "Not offered on this platform yet."]
        return {"description": " | ".join(part for part in parts if part)} | schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A mapping with known keys."""

    fields: Sequence[Field]

    def read(self, node: Node, path: str, reading: Reading) -> dict[str, Any] | None:
        """Read it into values by canonical key; keys that are wrong or absent are not in it."""
        if node.kind is not NodeKind.MAPPING:
            _wrong_type(node, path, reading, "mapping")
            return None
        by_key = {spelling: field for field in self.fields for spelling in field.spellings()}
        values: dict[str, Any] = {}
        seen: dict[str, Entry] = {}
        for entry in node.entries:
            known = by_key.get(entry.key)
            if known is None:
                self._unknown(entry, reading)
            elif known.name in seen:
                self._twice(entry, seen[known.name], reading)
            else:
                seen[known.name] = entry
                self._read_field(known, entry, path, values, reading)
        for missing in (f for f in self.fields if f.required and f.name not in seen):
            place = Where(node.where.line, node.where.column, f"{node.where.pointer}/{missing.name}")
            reading.fail(
                "document.missing_field",
                place,
                field=_join(path, missing.name),
                spelling=both_spellings(missing.name, missing.zh),
            )
        return values

    def _read_field(self, known: Field, entry: Entry, path: str, values: dict[str, Any], reading: Reading) -> None:
        if known.shape is None:
            reading.fail(reading.not_offered, entry.where, field=entry.key)
            return
        place = _join(path, known.name)
        reading.places[place] = entry.value.where
        value = known.shape.read(entry.value, place, reading)
        if value is not None:
            values[known.name] = value

    def _unknown(self, entry: Entry, reading: Reading) -> None:
        named = [f for f in self.fields if f.shape is not None]
        suggestion, _ = nearest_first(entry.key, [s for f in named for s in f.spellings()])
        _, offered = nearest_first(entry.key, [both_spellings(f.name, f.zh) for f in named], max_count=40)
        params = {"field": excerpt(entry.key), "suggestion": suggestion, "offered": offered}
        reading.fail(reading.unknown_field, entry.where, **params)

    @staticmethod
    def _twice(entry: Entry, first: Entry, reading: Reading) -> None:
        params = {"key": entry.key, "first_key": first.key, "first_line": first.where.line}
        reading.fail("document.both_spellings", entry.where, **params)

    def to_schema(self, at: str = "#") -> dict[str, Any]:
        """Return its JSON Schema: both spellings of a key are known, and never both at once."""
        properties = {f.name: f.to_schema(f"{at}/properties/{f.name}") for f in self.fields}
        properties |= {f.zh: {"$ref": f"{at}/properties/{f.name}"} for f in self.fields if f.zh}
        pairs = [{"not": {"required": list(f.spellings())}} for f in self.fields if f.zh]
        needed = [required_schema(f) for f in self.fields if f.required]
        schema: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": properties}
        return schema | ({"allOf": [*needed, *pairs]} if needed or pairs else {})


def _schema_of(shape: Shape, at: str) -> dict[str, Any]:
    """Return the schema of a shape that will stand at the pointer ``at``: Chinese keys refer to the English ones beside them."""
    return shape.to_schema(at) if isinstance(shape, Record | ListOf | TextOr) else shape.to_schema()


def required_schema(field_: Field) -> dict[str, Any]:
    """Return the schema that asks for a field in either spelling."""
    return {"anyOf": [{"required": [spelling]} for spelling in field_.spellings()]}


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
