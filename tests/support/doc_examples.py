"""The examples of README and docs: fenced blocks with the words behind their language, and the commands in them.

A fence opens with a language and words: ```` ```console run as=department ```` is run and compared, ```` ```yaml ticket ```` is
read by the parser of tickets, ``file=mail.yaml`` writes the block for the commands after it.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
#: Pages that belong to this check; decisions and generated pages are read for their links only.
PAGES = (
    ROOT / "README.md",
    *(
        ROOT / "docs" / f"{name}.md"
        for name in (
            "index",
            "quickstart",
            "concepts",
            "operator",
            "department",
            "finance",
            "invariants",
            "auditor",
            "developer",
            "networking",
            "dependencies",
            "glossary",
            "traps",
            "openstack",
            "focus",
            "metrics",
        )
    ),
)
_FENCE = re.compile(r"^ *```(.*)$")
_INLINE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block."""

    page: Path
    #: Line of the opening fence.
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    def option(self, name: str, default: str = "") -> str:
        """Return what stands behind ``name=``."""
        return next((word.partition("=")[2] for word in self.words if word.startswith(f"{name}=")), default)

    @property
    def place(self) -> str:
        """Return ``page:line``."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command of a console block with what is said to come of it."""

    line: str
    shown: tuple[str, ...]
    exit_code: int


def blocks(page: Path) -> list[Block]:
    """Return every fenced block of a page, in order."""
    found: list[Block] = []
    opened: tuple[int, list[str]] | None = None
    body: list[str] = []
    for number, line in enumerate(page.read_text("utf-8").splitlines(), start=1):
        match = _FENCE.match(line)
        if match is None:
            body.append(line)
        elif opened is None:
            opened, body = (number, match[1].split()), []
        else:
            start, words = opened
            language = words[0] if words else ""
            found.append(
                Block(page=page, line=start, language=language, words=tuple(words[1:]), text=dedent("\n".join(body)) + "\n")
            )
            opened, body = None, []
    assert opened is None, f"{page.name}: a fence is not closed"
    return found


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    lines, is_inside = [], False
    for line in page.read_text("utf-8").splitlines():
        if _FENCE.match(line):
            is_inside = not is_inside
        elif not is_inside:
            lines.append(line)
    return "\n".join(lines)


def inline_code(page: Path) -> list[str]:
    """Return every inline code of a page."""
    return _INLINE.findall(prose(page))


def commands(block: Block) -> list[Command]:
    """Return the commands of a console block: ``$ command``, what it prints, ``[exit N]`` where it is not 0."""
    found: list[Command] = []
    line, code = "", 0
    shown: list[str] = []
    for text in [*block.text.splitlines(), "$ "]:
        if text.startswith("$ "):
            if line:
                found.append(Command(line=line, shown=tuple(shown), exit_code=code))
            line, shown, code = text[2:], [], 0
        elif line.endswith("\\"):
            line = line[:-1] + text.strip()
        elif match := re.fullmatch(r"\[exit (\d+)\]", text.strip()):
            code = int(match[1])
        else:
            shown.append(text)
    return found


def missing_lines(shown: Sequence[str], output: str) -> list[str]:
    """Return the shown lines that do not come in this order in an output.

    Spaces count as one; ``…`` stands for anything, also for lines left out.
    """
    lines = [_squeezed(line) for line in output.splitlines()]
    at, missing = 0, []
    for text in shown:
        wanted = _squeezed(text)
        if wanted in ("", "…"):
            continue
        pattern = re.compile(".*".join(re.escape(part.strip()) for part in wanted.split("…")))
        place = next((i for i in range(at, len(lines)) if pattern.fullmatch(lines[i])), None)
        if place is None:
            missing.append(text)
        else:
            at = place + 1
    return missing


def _squeezed(line: str) -> str:
    return " ".join(line.split())


def allot_calls(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield every call of ``allot`` on a page as (where, arguments)."""
    for block in blocks(page):
        if block.language == "console":
            lines = [command.line for command in commands(block)]
        elif block.language == "sh":
            lines = re.sub(r"\\\n\s*", " ", block.text).splitlines()
        else:
            continue
        for line in lines:
            yield from ((f"{block.place}: {line}", call) for call in calls_in(line))
    for code in inline_code(page):
        yield from ((f"{page.name}: {code}", call) for call in calls_in(code))


def calls_in(line: str) -> list[list[str]]:
    """Return the arguments of each ``allot`` in a shell line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        tokens = list(lexer)
    except ValueError:
        return []
    calls: list[list[str]] = []
    current: list[str] | None = None
    is_start = True
    for token in tokens:
        if token and set(token) <= set("|&;()<>"):
            current, is_start = None, True
        elif is_start and (token == "allot" or token.endswith("/bin/allot")):
            current, is_start = [], False
            calls.append(current)
        elif is_start and re.fullmatch(r"\w+=.*", token):
            continue
        else:
            is_start = False
            if current is not None:
                current.append(token)
    return calls


def files_of(pages: Sequence[Path]) -> Mapping[str, Block]:
    """Return the blocks that are written to a file, by its name."""
    return {name: block for page in pages for block in blocks(page) if (name := block.option("file"))}
