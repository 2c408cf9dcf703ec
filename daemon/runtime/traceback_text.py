"""What a strategy raised, as text that can be journalled and is the same on every machine."""

from __future__ import annotations

import traceback
from typing import Final

RAISED: Final = (Exception, SystemExit)
"""What quarantines an engine: a strategy that calls ``exit`` ends itself, not the run."""

_CHARS: Final = 4000


def portable_traceback(error: BaseException) -> str:
    """Return the end of an exception's traceback, without the folders of files."""
    lines = [_writable(line) for line in traceback.format_exception(error)]
    return _portable("".join(lines))[-_CHARS:]


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
