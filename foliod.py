"""What strategy authors and scripts may use; ``python -m foliod`` is the program itself.

A name here is public: it is kept, or its change is said in the CHANGELOG. Everything else in the
four packages may move. Importing this imports no numpy, pandas or pydantic and opens nothing; what
adds up sessions is imported when it is first named.
"""

import typing

from daemon.core.calendar import Schedule, Window
from daemon.core.indicators import Atr, Ema, Highest, Lowest, Rsi, Sma, TrueRange
from daemon.core.strategy import Context, NoParams, Strategy
from state.bars import Bar
from state.signals import CancelEntry, Exit, Signal

if typing.TYPE_CHECKING:
    from daemon.reports.aggregate import MultiSessionAggregator, run_aggregation

__all__ = [
    "Atr",
    "Bar",
    "CancelEntry",
    "Context",
    "Ema",
    "Exit",
    "Highest",
    "Lowest",
    "MultiSessionAggregator",
    "NoParams",
    "Rsi",
    "Schedule",
    "Signal",
    "Sma",
    "Strategy",
    "TrueRange",
    "Window",
    "run_aggregation",
]


def __getattr__(name: str) -> typing.Any:  # noqa: ANN401  whatever the name stands for
    """Import what adds up sessions when it is asked for."""
    if name in ("MultiSessionAggregator", "run_aggregation"):
        from daemon.reports import aggregate

        return getattr(aggregate, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if __name__ == "__main__":
    from daemon.cli.main import main

    main()
