"""Finds strategies by name, entry point or file, and makes them from parameters.

Every mistake of an author or operator becomes a ``StrategyError`` that says what to change. Nothing
here may feed bars to a strategy.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import math
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from daemon.core.strategies.registry import BUILT_IN
from daemon.core.strategy import Context, Strategy
from state.errors import FoliodError, StrategyError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")

GROUP: Final = "foliod.strategies"
"""The entry point group in which other distributions offer strategies."""


class Found(msgspec.Struct, frozen=True):
    """A strategy class that can be used.

    ``kind`` is what was asked for, ``origin`` one of ``built-in``, ``entry point`` and ``file``,
    ``source`` where the class lives.
    """

    kind: str
    origin: str
    source: str
    strategy: type[Strategy]


def find(kind: str, folder: Path | None = None) -> Found:
    """Find a strategy by built-in name, ``file.py:Class`` or entry point name, in this order.

    A relative file is looked for in ``folder`` (default: the current folder).

    Raises:
        StrategyError: nothing of that name, or it cannot be used; says why and what is known.
    """
    built_in = BUILT_IN.get(kind)
    if built_in is not None:
        return _checked(Found(kind, "built-in", _source(built_in), built_in))
    path = file_of(kind, folder or Path())
    if path is not None:
        return _from_file(kind, path)
    points = entry_points()
    point = points.get(kind)
    if point is None:
        raise StrategyError(
            f"strategy {kind!r}: no built-in and no entry point of group {GROUP} has this name; "
            f"known: {', '.join([*BUILT_IN, *points])}; a file is written as file.py:Class"
            f"{_nearest(kind, [*BUILT_IN, *points])}"
        )
    return from_entry_point(point)


def entry_points() -> dict[str, EntryPoint]:
    """Return the strategies that installed distributions offer, by name, not yet imported.

    A built-in keeps its name whatever a distribution calls its own.
    """
    from importlib.metadata import entry_points as installed

    points = sorted(installed(group=GROUP), key=lambda point: (point.name, point.value))
    return {point.name: point for point in points if point.name not in BUILT_IN}


def from_entry_point(point: EntryPoint) -> Found:
    """Import what an entry point names.

    Raises:
        StrategyError: the import fails, or it is no usable strategy class.
    """
    thing = _imported(lambda: point.load(), f"strategy {point.name!r} ({point.value})", "")
    return _checked(Found(point.name, "entry point", point.value, thing))


def file_of(kind: str, folder: Path) -> Path | None:
    """Return the file that a kind like ``file.py:Class`` names, None when it names none."""
    if kind in BUILT_IN or not (kind.endswith(".py") or ".py:" in kind):
        return None
    stem = kind.partition(".py:")[0] if ".py:" in kind else kind[:-3]
    return folder / Path(f"{stem}.py").expanduser()


def _from_file(kind: str, path: Path) -> Found:
    name = kind.partition(".py:")[2]
    if not path.is_file():
        beside = [one.name for one in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise StrategyError(
            f"strategy {kind!r}: there is no file {path}{_nearest(path.name, beside)}"
        )
    module = _module(path, kind)
    offered = [
        key
        for key, thing in vars(module).items()
        if _is_strategy(thing) and thing.__module__ == module.__name__
    ]
    thing = getattr(module, name, None) if name else None
    if thing is None:
        what = f"no class {name!r}" if name else "a class must be named"
        known = ", ".join(offered) or "none (a strategy is a subclass of foliod.Strategy)"
        raise StrategyError(
            f"strategy {kind!r}: {what}; strategies in {path.name}: {known}; "
            f"write it as {path.name}:Class{_nearest(name, offered)}"
        )
    return _checked(Found(kind, "file", f"{path}:{name}", thing))


def _module(path: Path, kind: str) -> ModuleType:
    """Import a file once; a second strategy of the same file shares the module."""
    where = path.resolve()
    digest = hashlib.blake2b(str(where).encode(), digest_size=6).hexdigest()
    name = f"foliod_user_{where.stem}_{digest}"
    known = sys.modules.get(name)
    if known is not None:
        return known
    spec = importlib.util.spec_from_file_location(name, where)
    if spec is None or spec.loader is None:
        raise StrategyError(f"strategy {kind!r}: {path} cannot be imported as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader = spec.loader
    try:
        _imported(lambda: loader.exec_module(module), f"strategy {kind!r}", str(where))
    except StrategyError:
        del sys.modules[name]
        raise
    return module


def _imported(call: Callable[[], T], what: str, file: str) -> T:
    try:
        return call()
    except (Exception, SystemExit) as error:
        raise StrategyError(f"{what}: importing it raises {_short(error, file)}") from error


def _short(error: BaseException, file: str) -> str:
    """Write an exception in a few lines: what it is, and where in the author's files."""
    lines = [f"{type(error).__name__}: {error}"]
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == file] if file else list(frames)[-2:]
    lines += [f"  {frame.filename}, line {frame.lineno}: {frame.line}" for frame in own[-3:]]
    return "\n".join(lines)


def _checked(found: Found) -> Found:
    """Return ``found`` if its class keeps what the protocol demands.

    Raises:
        StrategyError: names every obligation that is not met.
    """
    kind: Any = found.strategy
    what = f"strategy {found.kind!r} ({found.source})"
    if not _is_strategy(kind):
        raise StrategyError(f"{what} is not a subclass of foliod.Strategy, it is {kind!r}")
    problems = [
        f"has no {name}; it must define on_bar, state and restore"
        for name in ("on_bar", "state", "restore")
        if getattr(kind, name) is getattr(Strategy, name)
    ]
    params = kind.Params
    if not (isinstance(params, type) and issubclass(params, msgspec.Struct)):
        problems.append(f"Params must be a subclass of msgspec.Struct, found {params!r}")
    elif not params.__struct_config__.frozen:
        problems.append(f"Params must be frozen: class {params.__name__}(Struct, frozen=True)")
    if problems:
        raise StrategyError("\n".join(f"{what}: {problem}" for problem in problems))
    return found


def _is_strategy(thing: object) -> bool:
    return isinstance(thing, type) and issubclass(thing, Strategy)


def _source(kind: type[Strategy]) -> str:
    return f"{kind.__module__}:{kind.__name__}"


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def make(found: Found, context: Context, params: Mapping[str, Any] | None = None) -> Strategy:
    """Make an instance from raw parameters, as they stand in a config.

    Raises:
        StrategyError: parameters are wrong (all at once), or the constructor raises.
        ConfigError: the strategy cannot work with these windows.
    """
    given = dict(params or {})
    problems = param_problems(found, given)
    if problems:
        raise StrategyError("\n".join(f"strategy {found.kind}: {line}" for line in problems))
    values = msgspec.convert(given, found.strategy.Params)
    try:
        return found.strategy(context, values)
    except FoliodError:
        raise
    except (Exception, SystemExit) as error:
        raise StrategyError(
            f"strategy {found.kind} ({found.source}) raises when it is made for {context.symbol}: "
            f"{_short(error, '')}"
        ) from error


def param_problems(found: Found, params: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with raw parameters, one line each, nothing when all are right."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(found.strategy.Params)}
    problems = []
    for name, value in params.items():
        field = fields.get(name)
        if field is None:
            known = ", ".join(fields) or "none"
            problems.append(f"params.{name}: unknown; known: {known}{_nearest(name, fields)}")
            continue
        problem = _value_problem(value, field.type)
        if problem:
            problems.append(f"params.{name} = {value!r}: {problem}")
    problems += [
        f"params.{name}: missing, it has no default"
        for name, field in fields.items()
        if field.required and name not in params
    ]
    if not problems:
        try:
            msgspec.convert(dict(params), found.strategy.Params)
        except msgspec.ValidationError as error:
            problems.append(f"params: {error}")
    return problems


def _value_problem(value: object, kind: object) -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return "a number must be finite"
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return str(error).replace("`", "")
    return None


class Parameter(msgspec.Struct, frozen=True):
    """One parameter as an operator sees it.

    ``default`` is None where there is none (``required``) or where it is made by a function.
    ``bounds`` is text like ``>= 0, <= 1440``, empty without bounds.
    """

    name: str
    type: str
    default: Any
    bounds: str
    required: bool = False


_BOUNDS: Final = {
    "ge": ">=",
    "gt": ">",
    "le": "<=",
    "lt": "<",
    "multiple_of": "multiple of",
    "pattern": "matches",
    "min_length": "length >=",
    "max_length": "length <=",
}


def parameters(strategy: type[Strategy]) -> list[Parameter]:
    """Describe the parameters of a strategy, in the order of their definition."""
    rows = []
    kinds = {one.encode_name: one.type for one in _struct_fields(strategy.Params)}
    for field in msgspec.structs.fields(strategy.Params):
        kind = kinds[field.encode_name]
        default = None if field.default is msgspec.NODEFAULT else field.default
        bounds = [
            f"{word} {value:g}" if isinstance(value, float) else f"{word} {value}"
            for key, word in _BOUNDS.items()
            if (value := getattr(kind, key, None)) is not None
        ]
        name = type(kind).__name__.removesuffix("Type").lower()
        rows.append(Parameter(field.encode_name, name, default, ", ".join(bounds), field.required))
    return rows


def _struct_fields(params: type[msgspec.Struct]) -> tuple[msgspec.inspect.Field, ...]:
    kind = msgspec.inspect.type_info(params)
    return kind.fields if isinstance(kind, msgspec.inspect.StructType) else ()
