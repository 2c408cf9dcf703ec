"""What a strategy raised, as text that can be journalled and is the same on every machine."""

from __future__ import annotations

import traceback
from types import TracebackType
from typing import Final

RAISED: Final = (Exception, SystemExit)
"""What quarantines an engine: a strategy that calls ``exit`` ends itself, not the run."""

_CHARS: Final = 4000
_RECURSION_FRAMES: Final = 8
_ASKERS: Final = ("daemon.runtime.", "daemon.core.engine")
"""Modules that ask strategies: which of them does, differs between a daemon, its recovery and a
replay."""


def portable_traceback(error: BaseException) -> str:
    """Return the end of an exception's traceback, without the folders of files.

    It begins where the strategy was called, so that it is the same whoever asked; of an endless
    recursion it has the beginning, because where that ends hangs on who asked, too.
    """
    limit = _RECURSION_FRAMES if isinstance(error, RecursionError) else None
    below = _below_askers(error.__traceback__)
    lines = [
        _writable(line)
        for line in traceback.format_exception(type(error), error, below, limit=limit)
    ]
    return _portable("".join(lines))[-_CHARS:]


def _below_askers(frames: TracebackType | None) -> TracebackType | None:
    """Leave out the first frames, which are of whoever asked."""
    while frames is not None:
        name = f"{frames.tb_frame.f_globals.get('__name__', '')}."
        if frames.tb_next is None or not name.startswith(_ASKERS):
            break
        frames = frames.tb_next
    return frames


def said(error: BaseException) -> str:
    """Return an exception's own text; a class whose ``__str__`` raises has none."""
    try:
        return _writable(str(error))
    except RAISED:
        return "(without words)"


def _writable(text: str) -> str:
    """Return text that can be journalled: what is no Unicode is escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _portable(text: str) -> str:
    """Leave out folders of files in a traceback, so that a journal is the same everywhere."""
    lines = []
    for line in text.split("\n"):
        head, quote, rest = line.partition('File "')
        if quote and '"' in rest:
            path, _, tail = rest.partition('"')
            line = f'{head}File "{path.rsplit("/", 1)[-1]}"{tail}'
        lines.append(line)
    return "\n".join(lines)
