"""What strategy authors and scripts may use; ``python -m foliod`` is the program itself.

A name here is public: it is kept, or its change is said in the CHANGELOG. Everything else in the
four packages may move. Importing this imports no numpy, pandas or pydantic and opens nothing.
"""

from daemon.core.calendar import Schedule, Window
from daemon.core.indicators import Atr, Ema, Highest, Lowest, Rsi, Sma, TrueRange
from daemon.core.strategy import Context, NoParams, Strategy
from state.bars import Bar
from state.signals import CancelEntry, Exit, Signal

__all__ = [
    "Atr",
    "Bar",
    "CancelEntry",
    "Context",
    "Ema",
    "Exit",
    "Highest",
    "Lowest",
    "NoParams",
    "Rsi",
    "Schedule",
    "Signal",
    "Sma",
    "Strategy",
    "TrueRange",
    "Window",
]

if __name__ == "__main__":
    from daemon.cli.main import main

    main()
