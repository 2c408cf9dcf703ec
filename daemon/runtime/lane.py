"""A lane of the stepper: what belongs to one series."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.brokers.paper import Book, PaperBroker
from daemon.core.desk import Desk
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


def lanes_of(desk: Desk, broker: PaperBroker) -> dict[tuple[str, int], Lane]:
    """Return the lane of every series of the desk's market, by (symbol, interval in ns)."""
    engines: dict[tuple[str, int], list[Engine]] = {}
    for engine in desk.engines.values():
        engines.setdefault((engine.symbol, engine.interval_ns), []).append(engine)
    return {
        series.key: Lane(
            series, broker.book(series.grid, series.interval_ns), engines.get(series.key, ())
        )
        for series in desk.market.series
    }
