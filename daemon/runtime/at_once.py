"""Running a coroutine that never waits, without a loop.

The stepper says ``await`` wherever a runner may have to wait for the disk or for a broker. In the
stepped lane nothing ever does, and a loop would only cost time.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


def at_once(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine to its end and return its result.

    Raises:
        RuntimeError: it waits for something that only a loop could bring.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: _T = end.value
        return result
    coroutine.close()
    raise RuntimeError("what was to be done at once waits for something")
