"""A lane of the stepper: what belongs to one series."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.brokers.paper import Book
from daemon.core.engine import Engine
from daemon.core.market import Series


class Lane:
    """One series in the stepper: the series, what rests on it, its engines in order of name."""

    __slots__ = ("book", "engines", "series", "slots", "update")

    def __init__(self, series: Series, book: Book, engines: Sequence[Engine]) -> None:
        """Bind them; ``slots`` is the book's own, to look at without a call."""
        self.series = series
        self.update = series.update
        self.book = book
        self.slots = book.slots
        self.engines = sorted(engines, key=lambda engine: engine.name)
