"""Doing the same to many things, on every processor this process may use.

For a command that reads and computes and then ends; nothing here may be used beside an event loop.
The work is numpy's and the CSV reader's, which let other threads run meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_MOST: Final = 8
"""More threads than this wait for memory."""


class Each(Protocol):
    """Does ``work`` to each item; answers come in the order of the items."""

    def __call__(self, work: Callable[[T], R], items: Iterable[T], /) -> Iterator[R]:
        """Yield the answers; what ``work`` raises is raised when its turn comes."""
        ...


def in_turn(work: Callable[[T], R], items: Iterable[T], /) -> Iterator[R]:
    """Do the work one item after the other, in this thread."""
    return map(work, items)


@contextmanager
def workers() -> Iterator[Each]:
    """Do the work on as many threads as there are processors for this process."""
    with ThreadPoolExecutor(min(_MOST, len(os.sched_getaffinity(0)))) as pool:
        yield pool.map
