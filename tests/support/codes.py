"""Every code the program raises, stores or shows, read from its source: what the catalogue of texts must cover.

A *raiser* is a class of the error family, ``Problem``, or any function that hands its own parameter on to one. The search
for such functions runs until it finds no more, so a helper ``refuse(code, path, **params)`` needs no listing here.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from inspect import getmembers, isclass
from pathlib import Path

import drivers.faults
import inventory.domain.errors

ROOT = Path(__file__).parents[2]
ROOMS = ("controller", "drivers", "inventory", "metering", "quotas")
CODE = re.compile(r"[a-z][a-z_]*(\.[a-z0-9_]+)+")
#: Keyword arguments of the error family that are no parameters of a text.
_NOT_PARAMS = frozenset({"problems", "internal", "details", "retry_after_s", "delay_s"})

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Raiser:
    """A callable that takes a code: at which position, and the parameters it adds by itself."""

    position: int
    keyword: str = "code"
    #: Parameters its text always gets; None where they cannot be told from the source.
    own: frozenset[str] | None = frozenset()
    #: Whether further keyword arguments become parameters.
    passes_keywords: bool = True


@dataclass(frozen=True, slots=True)
class Use:
    """One place that raises a code; ``params`` is None where they cannot be told from the source."""

    code: str
    where: str
    params: frozenset[str] | None


@dataclass(slots=True)
class Source:
    """One module, parsed, with the function around every node."""

    path: Path
    tree: ast.Module
    constants: dict[str, ast.expr] = field(default_factory=dict)
    around: dict[ast.AST, tuple[Function, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the path as people write it."""
        return str(self.path.relative_to(ROOT))


@cache
def sources() -> tuple[Source, ...]:
    """Return every module of the program but the catalogue itself."""
    found = []
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if path.parent.name == "texts":
                continue
            source = Source(path, ast.parse(path.read_text("utf-8")))
            for statement in source.tree.body:
                if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                    source.constants[statement.targets[0].id] = statement.value
                if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
                    source.constants[statement.target.id] = statement.value
            _note_functions(source, source.tree, ())
            found.append(source)
    return tuple(found)


def _note_functions(source: Source, node: ast.AST, around: tuple[Function, ...]) -> None:
    source.around[node] = around
    inner = (node, *around) if isinstance(node, Function) else around
    for child in ast.iter_child_nodes(node):
        _note_functions(source, child, inner)


def _family() -> dict[str, Raiser]:
    """Return the classes of the error family; a subclass anywhere in the program is found by its base."""
    roots = {"AllotError", "DriverFault"}
    for module in (inventory.domain.errors, drivers.faults):
        roots |= {n for n, c in getmembers(module, isclass) if issubclass(c, Exception)}
    roots -= {"StaleFence"}
    size = -1
    while size != len(roots):
        size = len(roots)
        for source in sources():
            for node in ast.walk(source.tree):
                if not isinstance(node, ast.ClassDef) or node.name == "StaleFence":
                    continue
                if any(_name(base) in roots for base in node.bases):
                    roots.add(node.name)
    return {name: Raiser(0) for name in roots} | {"Problem": Raiser(0, own=None, passes_keywords=False)}


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _calls(source: Source) -> Iterator[ast.Call]:
    return (node for node in ast.walk(source.tree) if isinstance(node, ast.Call))


@dataclass(frozen=True, slots=True)
class Found:
    """What a scan found: every raised code, and calls whose code could not be told."""

    uses: tuple[Use, ...]
    unresolved: tuple[str, ...]


@cache
def scan() -> Found:
    """Return every use of a code by a raiser."""
    raisers: dict[tuple[str, str], Raiser] = {("", name): raiser for name, raiser in _family().items()}
    while True:
        found, helpers = _pass(raisers)
        new = {key: raiser for key, raiser in helpers.items() if key not in raisers}
        if not new:
            return found
        raisers |= new


def _pass(raisers: Mapping[tuple[str, str], Raiser]) -> tuple[Found, dict[tuple[str, str], Raiser]]:
    uses: list[Use] = []
    unresolved: list[str] = []
    helpers: dict[tuple[str, str], Raiser] = {}
    for source in sources():
        for call in _calls(source):
            raiser = _raiser(raisers, source, call)
            if raiser is None:
                continue
            where = f"{source.name}:{call.lineno}"
            argument = _code_argument(call, raiser)
            if argument is None or _is_own_constructor(source, call, argument):
                continue
            params = _params(call, raiser)
            helper = _as_helper(source, call, argument, params)
            if helper is not None:
                helpers[helper[0]] = helper[1]
                continue
            codes = _resolve(source, argument, source.around[call])
            if codes is None:
                unresolved.append(f"{source.name}: {ast.unparse(argument)}")
            uses += [Use(code, where, params) for code in codes or () if CODE.fullmatch(code)]
    return Found(tuple(uses), tuple(sorted(set(unresolved)))), helpers


def _raiser(raisers: Mapping[tuple[str, str], Raiser], source: Source, call: ast.Call) -> Raiser | None:
    name = _name(call.func)
    if name == "__init__" and isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Call):
        first = call.args[0] if call.args else None
        return Raiser(0) if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
    if isinstance(call.func, ast.Attribute):
        return raisers.get(("", name)) or raisers.get(("method", name)) or raisers.get((source.name, name))
    return raisers.get(("", name)) or raisers.get(("function", name)) or raisers.get((source.name, name))


def _code_argument(call: ast.Call, raiser: Raiser) -> ast.expr | None:
    if len(call.args) > raiser.position:
        return call.args[raiser.position]
    return next((k.value for k in call.keywords if k.arg == raiser.keyword), None)


def _is_own_constructor(source: Source, call: ast.Call, argument: ast.expr) -> bool:
    """Tell whether a class of the family makes its own problem: its callers are looked at instead."""
    around = source.around[call]
    is_parameter = bool(around) and isinstance(argument, ast.Name) and argument.id in {a.arg for a in _arguments(around[0])}
    return is_parameter and around[0].name == "__init__"


def _arguments(function: Function) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def _params(call: ast.Call, raiser: Raiser) -> frozenset[str] | None:
    """Return the names of parameters a text gets from this call."""
    if raiser.own is None:
        given = call.args[1] if len(call.args) > 1 else next((k.value for k in call.keywords if k.arg == "params"), None)
        return frozenset() if given is None else _keys(given)
    if any(k.arg is None for k in call.keywords):
        return None
    named = {k.arg for k in call.keywords if k.arg} - _NOT_PARAMS if raiser.passes_keywords else set()
    return raiser.own | named


def _keys(node: ast.expr) -> frozenset[str] | None:
    if not isinstance(node, ast.Dict):
        return None
    if not all(isinstance(key, ast.Constant) for key in node.keys):
        return None
    return frozenset(str(key.value) for key in node.keys if isinstance(key, ast.Constant))


def _as_helper(
    source: Source, call: ast.Call, argument: ast.expr, params: frozenset[str] | None
) -> tuple[tuple[str, str], Raiser] | None:
    """Return the function around a call as a raiser, where the code is a parameter of it."""
    around = source.around[call]
    if not isinstance(argument, ast.Name) or not around:
        return None
    for function in around:
        names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
        only = [a.arg for a in function.args.kwonlyargs]
        if argument.id not in (*names, *only):
            continue
        is_method = bool(names) and names[0] in ("self", "cls")
        position = names.index(argument.id) - is_method if argument.id in names else 1 << 16
        passes = function.args.kwarg is not None
        own = params if params is not None else _own_keys(call, function)
        name = function.name
        key = (source.name if name.startswith("_") else "method" if is_method else "function", name)
        return key, Raiser(
            position, keyword=argument.id, own=own if own is not None else frozenset({"*"}), passes_keywords=passes
        )
    return None


def _own_keys(call: ast.Call, function: Function) -> frozenset[str] | None:
    """Return what a helper adds to the ``**params`` it passes on, None where more than that goes in."""
    collected = function.args.kwarg.arg if function.args.kwarg else ""
    own: set[str] = set()
    stars = [k.value for k in call.keywords if k.arg is None]
    own |= {k.arg for k in call.keywords if k.arg} - _NOT_PARAMS
    for argument in call.args[1:2]:
        if isinstance(argument, ast.Dict):
            for key, value in zip(argument.keys, argument.values, strict=True):
                if key is None:
                    stars.append(value)
                elif isinstance(key, ast.Constant):
                    own.add(str(key.value))
        else:
            stars.append(argument)
    return frozenset(own) if all(isinstance(s, ast.Name) and s.id == collected for s in stars) else None


def _resolve(
    source: Source, node: ast.expr, around: tuple[Function, ...], seen: frozenset[str] = frozenset()
) -> tuple[str, ...] | None:
    """Return the codes an expression may be; empty where it passes another error's code on; None where it cannot be told."""
    if isinstance(node, ast.Name) and node.id in seen:
        return ()
    if isinstance(node, ast.Constant):
        return (node.value,) if isinstance(node.value, str) else () if node.value is None else None
    if isinstance(node, ast.Attribute) and node.attr == "code":
        return ()
    parts: list[ast.expr]
    if isinstance(node, ast.IfExp):
        parts = [node.body, node.orelse]
    elif isinstance(node, ast.BoolOp | ast.Dict):
        parts = list(node.values)
    elif isinstance(node, ast.Subscript):
        parts = [node.value]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
        parts = [node.func.value, *node.args[1:]]
    elif isinstance(node, ast.Name):
        parts = _values_of(source, node.id, around)
        seen |= {node.id}
        if not parts:
            return None
    else:
        return None
    found = [_resolve(source, part, around, seen) for part in parts]
    return None if any(f is None for f in found) else tuple(code for f in found for code in f or ())


def _values_of(source: Source, name: str, around: tuple[Function, ...]) -> list[ast.expr]:
    """Return what is assigned to a name: in the functions around, else in the module."""
    for function in around:
        values: list[ast.expr] = []
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
                values.append(node.value)
            if isinstance(node, ast.For) and name in {_name(t) for t in ast.walk(node.target)}:
                values += _looped(source, node, name, around)
        if values:
            return values
    return [source.constants[name]] if name in source.constants else []


def _looped(source: Source, loop: ast.For, name: str, around: tuple[Function, ...]) -> list[ast.expr]:
    """Return what a loop gives a name, where it runs over values written out or over ``x.items()`` of such a dict."""
    over = loop.iter
    if isinstance(over, ast.Call) and isinstance(over.func, ast.Attribute) and over.func.attr in ("items", "values"):
        return _values_of(source, _name(over.func.value), around)
    if isinstance(over, ast.Tuple | ast.List):
        if isinstance(loop.target, ast.Name):
            return list(over.elts)
        if isinstance(loop.target, ast.Tuple):
            place = [_name(t) for t in loop.target.elts].index(name)
            return [e.elts[place] for e in over.elts if isinstance(e, ast.Tuple | ast.List)]
    return []


def literals() -> Iterator[tuple[str, str]]:
    """Return (text, place) of every string of the program: whole ones, and the fixed beginning of composed ones."""
    for source in sources():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value, f"{source.name}:{node.lineno}"


def composed() -> Iterator[tuple[str, str]]:
    """Return (beginning, place) of every code that is put together from a beginning, for example ``placement.miss.``."""
    for source in sources():
        for node in ast.walk(source.tree):
            first = node.values[0] if isinstance(node, ast.JoinedStr) else node
            if isinstance(first, ast.Constant) and re.fullmatch(r"[a-z_]+(\.[a-z_]+)*(\.|_)", str(first.value)):
                yield str(first.value), f"{source.name}:{first.lineno}"


def told() -> Iterator[Use]:
    """Return every line of a ticket's story that is written out as (subject, code, parameters)."""
    for source in sources():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Tuple) and len(node.elts) == 3 and isinstance(node.elts[1], ast.Constant):
                code = str(node.elts[1].value)
                if code.startswith("step."):
                    yield Use(code, f"{source.name}:{node.lineno}", _keys(node.elts[2]))
