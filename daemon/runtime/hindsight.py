"""Where a strategy could know the future from: what it opens while it decides, what it holds.

Comparing runs (``daemon.core.causality``) cannot see a strategy that answers from the same outside
source every time. Two looks from outside find the common ones: an audit hook sees files, sockets
and processes opened inside ``on_bar``, and a walk over what a strategy holds (its instance, its
class, its module) finds runs of bars that it was not given yet. Native libraries may read a file
unseen by the hook; what they keep in memory, the walk finds. Code that hides on purpose is out of
reach of both.
"""

from __future__ import annotations

import functools
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import CellType, FunctionType, ModuleType
from typing import Any, Final

import msgspec

from daemon.core.causality import Make, Violation
from daemon.core.strategy import Strategy
from state.bars import Bar

RUN: Final = 4
"""Consecutive bars of the future that count as knowing it; fewer may be chance."""
_LIMIT: Final = 200_000
"""Objects looked at before the walk ends."""
_EVENTS: Final = frozenset(
    {"open", "os.listdir", "os.scandir", "socket.connect", "sqlite3.connect", "subprocess.Popen"}
)
_CODE: Final = (".py", ".pyc", ".pyi", ".so", ".pyd")
_SCALARS: Final = (str, bytes, int, float, complex, bool, type(None))

_seen: list[str] | None = None
_hooked = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _seen is None or event not in _EVENTS:
        return
    what = str(arguments[0]) if arguments else ""
    if event == "socket.connect" and len(arguments) > 1:
        what = str(arguments[1])
    if event in ("open", "os.listdir", "os.scandir") and _is_import(what):
        return
    _seen.append(f"{event} {what}")


def _is_import(path: str) -> bool:
    """Say whether this is the import system at work, which a lazy import may set off."""
    return path.endswith(_CODE) or path in sys.path or "__pycache__" in path


def first_opened(call: Callable[[], Any]) -> str | None:
    """Run ``call`` and return the first file, socket or process that it opened, or None.

    Not for several threads at once.
    """
    global _seen, _hooked
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked = True
    seen: list[str] = []
    _seen = seen
    try:
        call()
    finally:
        _seen = None
    return seen[0] if seen else None


def look(make: Make, bars: Sequence[Bar], in_window: Sequence[bool]) -> Violation | None:
    """Feed half of the bars to a fresh strategy and return what it opened or holds.

    Raises:
        Exception: whatever the strategy raises; run ``daemon.core.causality.check`` first.
    """
    given = max(1, len(bars) // 2)
    strategy = make()
    for i in range(given):
        opened = first_opened(functools.partial(strategy.on_bar, bars[i], in_window[i]))
        if opened is not None:
            return Violation("opened", i, bars[i].open_ns, "only the bars given", opened)
    where = future_held(strategy, bars, given)
    if where is None:
        return None
    at = min(given, len(bars) - 1)
    return Violation("held", at, bars[at].open_ns, "nothing of it", f"it in {where}", given)


def future_held(strategy: Strategy, bars: Sequence[Bar], given: int) -> str | None:
    """Return where the strategy holds bars after the first ``given`` ones, or None.

    A run of ``RUN`` opens, highs, lows or closes of later bars, in order and nowhere in the bars it
    was given, found in a sequence, a mapping or a buffer, counts.
    """
    wanted = _runs(bars[max(0, given - RUN + 1) :]) - _runs(bars[:given])
    if not wanted:
        return None
    for where, values in _sequences(strategy):
        for column in _columns(values):
            for i in range(len(column) - RUN + 1):
                if tuple(column[i : i + RUN]) in wanted:
                    return where
    return None


def _runs(bars: Sequence[Bar]) -> set[tuple[float, ...]]:
    found: set[tuple[float, ...]] = set()
    for name in ("open", "high", "low", "close"):
        column = [getattr(bar, name) for bar in bars]
        found.update(tuple(column[i : i + RUN]) for i in range(len(column) - RUN + 1))
    return {run for run in found if len(set(run)) > 1}


def _columns(values: list[Any]) -> Iterator[list[float]]:
    """Yield the number columns of a sequence: of itself, or of each field of its elements."""
    first = values[0]
    if isinstance(first, float):
        yield [x if isinstance(x, float) else 0.0 for x in values]
        return
    rows = [_fields(x) for x in values]
    for i in range(len(rows[0])):
        column = [row[i] if i < len(row) else None for row in rows]
        if any(isinstance(x, float) for x in column):
            yield [x if isinstance(x, float) else 0.0 for x in column]


def _fields(element: object) -> Sequence[Any]:
    if isinstance(element, msgspec.Struct):
        return msgspec.structs.astuple(element)
    if isinstance(element, Mapping):
        return list(element.values())
    if isinstance(element, list | tuple):
        return element
    return list(vars(element).values()) if hasattr(element, "__dict__") else []


def _sequences(strategy: Strategy) -> Iterator[tuple[str, list[Any]]]:
    """Yield (where, values) of every sequence that the strategy can reach by its own names."""
    queue: deque[tuple[str, Any]] = deque(_roots(strategy))
    known: set[int] = {id(strategy.context), id(strategy.params)}
    for _ in range(_LIMIT):
        if not queue:
            return
        where, thing = queue.popleft()
        if id(thing) in known or isinstance(thing, _SCALARS):
            continue
        known.add(id(thing))
        values = _values(thing)
        if len(values) >= RUN:
            yield where, values
        queue.extend(_children(where, thing, values))


def _roots(strategy: Strategy) -> Iterator[tuple[str, Any]]:
    kind = type(strategy)
    for one in kind.__mro__:
        if one in (Strategy, object):
            continue
        yield from ((f"{one.__name__}.{name}", x) for name, x in vars(one).items())
        module = sys.modules.get(one.__module__)
        for name, x in vars(module).items() if module else ():
            if not (name.startswith("__") or isinstance(x, ModuleType | type)):
                yield f"{one.__module__}.{name}", x
    yield from _attributes("self", strategy)


def _attributes(where: str, thing: object) -> Iterator[tuple[str, Any]]:
    for name, x in getattr(thing, "__dict__", {}).items():
        yield f"{where}.{name}", x
    for one in type(thing).__mro__:
        slots = vars(one).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(thing, name):
                yield f"{where}.{name}", getattr(thing, name)


def _values(thing: object) -> list[Any]:
    """Return the elements of a sequence, mapping or numeric buffer, else nothing."""
    if isinstance(thing, Mapping):
        return list(thing.values())
    if isinstance(thing, list | tuple | deque | set | frozenset):
        return list(thing)
    try:
        view = memoryview(thing)  # type: ignore[arg-type]  # that is the question
    except TypeError:
        return []
    return view.tolist() if view.ndim == 1 and view.format in ("d", "f") else []


def _children(where: str, thing: object, values: list[Any]) -> Iterable[tuple[str, Any]]:
    if isinstance(thing, FunctionType):
        cells = thing.__closure__ or ()
        return [(f"{where} (closure)", cell.cell_contents) for cell in cells if _is_filled(cell)]
    if values:
        inner = [x for x in values if not isinstance(x, _SCALARS)]
        return [(where, x) for x in inner[:1000]]
    if isinstance(thing, ModuleType | type):
        return []
    return _attributes(where, thing)


def _is_filled(cell: CellType) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False
