"""Small portfolios for the crash sweep: two days of bars, and what happens on them.

Each scenario says what must have happened in it, so that none is named for something that its
bars no longer bring about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from config.load import load
from config.settings import Settings
from state.entries import (
    CommandTaken,
    DayRolled,
    EngineQuarantined,
    Entry,
    Filled,
    HaltSet,
    IntentRecorded,
    KillChanged,
    OrderChanged,
)
from state.units import HOUR_NS, MINUTE_NS, utc_ns, utc_text
from tests.fakes import staged

SYMBOL = "EURUSD"
MONDAY_NS = utc_ns(datetime(2024, 1, 15, tzinfo=UTC))
DAY_NS = 24 * HOUR_NS
PRICE = 1.10000

CONFIG = """
[portfolio]
id = "stage"
base_currency = "USD"
equity = 100_000
data_dir = "."

[[bars]]
symbol = "EURUSD"
path = "EURUSD.csv"
interval = "{interval}"
price = "mid"

[risk]
daily_r_stop = {r_stop}

[risk.strategy]
trades_per_day = false
r_stop = false

[risk.caps]
max_order_value = 10_000_000
max_gross_exposure = 20_000_000
max_positions = 2
max_positions_per_symbol = 2

[pacing]
enabled = false
{more}
"""

STRATEGY = """
[[strategies]]
name = "{name}"
kind = "{file}:Staged"
symbols = ["EURUSD"]
interval = "{interval}"
at_end = "{at_end}"
params = {{ {params} }}
[[strategies.windows]]
start = {start}
end = {end}
"""


def at(day: int, clock: str) -> int:
    """Return the instant of a UTC time on a day, counted from the first Monday as 0."""
    hour, minute = clock.split(":")
    return MONDAY_NS + day * DAY_NS + int(hour) * HOUR_NS + int(minute) * MINUTE_NS


def strategy(
    name: str, params: str, interval: str, at_end: str = "close", window: str = "00:00-24:00"
) -> str:
    """Write one staged strategy's settings."""
    start, end = (one if one == "24:00" else f"{one}:00" for one in window.split("-"))
    return STRATEGY.format(
        name=name, file=Path(staged.__file__).resolve(), interval=interval, at_end=at_end,
        params=params, start=start, end=f'"{end}"' if end == "24:00" else end,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody outside does right before the bars that close at ``at_ns``.

    ``word``: ``ask`` (the operator, through the socket's door), ``kill`` (writes the kill file),
    ``unkill`` (removes it), ``vanish`` and ``reappear`` (the control folder).
    """

    at_ns: int
    word: str
    name: str = ""
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One portfolio, its bars as prices at closes, what is done to it, what must come of it.

    ``moves`` is (close, pips): from there on prices lie so many pips from ``PRICE``. ``forgets``:
    every life begins without the snapshots of the one before.
    """

    name: str
    interval_m: int
    sessions: Sequence[tuple[int, int]]
    moves: Sequence[tuple[int, float]]
    strategies: Sequence[str]
    must: Callable[[Sequence[Entry]], bool]
    acts: Sequence[Act] = ()
    r_stop: float = -8.0
    more: str = ""
    forgets: bool = False

    def write(self, folder: Path) -> Settings:
        """Write bars and configuration into ``folder`` and return the settings."""
        folder.mkdir(parents=True)
        rows = "".join(_rows(self.sessions, self.moves, self.interval_m))
        (folder / "EURUSD.csv").write_text("ts,open,high,low,close,volume\n" + rows)
        path = folder / "foliod.toml"
        interval = f"{self.interval_m}m"
        head = CONFIG.format(interval=interval, r_stop=self.r_stop, more=self.more)
        path.write_text(head + "".join(self.strategies))
        return load([path], {})


def _rows(
    sessions: Sequence[tuple[int, int]], moves: Sequence[tuple[int, float]], interval_m: int
) -> Iterator[str]:
    """Yield CSV rows of bars that breathe a pip around the level that the moves give."""
    left = sorted(moves)
    level = last = PRICE
    for first, end in sessions:
        for number, close_ns in enumerate(range(first, end + 1, interval_m * MINUTE_NS)):
            while left and left[0][0] <= close_ns:
                level = PRICE + left.pop(0)[1] / 10_000
            close = level + (0.0001 if number % 2 else -0.0001)
            high, low = max(last, close) + 0.00005, min(last, close) - 0.00005
            stamp = utc_text(close_ns - interval_m * MINUTE_NS)
            yield f"{stamp},{last:.5f},{high:.5f},{low:.5f},{close:.5f},1\n"
            last = close


def _entries(entries: Sequence[Entry]) -> list[IntentRecorded]:
    found = [one for one in entries if isinstance(one, IntentRecorded)]
    return [one for one in found if one.intent.purpose == "entry"]


def _legs(entries: Sequence[Entry]) -> set[str]:
    return {one.leg for one in entries if isinstance(one, Filled)}


def _must_trade(entries: Sequence[Entry]) -> bool:
    events = {one.event for one in entries if isinstance(one, OrderChanged)}
    return _legs(entries) >= {"entry", "stop", "target", "exit"} and events >= {"ACCEPT", "CANCEL"}


def _must_stop(entries: Sequence[Entry]) -> bool:
    """An R-stop at 09:40 of the first day: no entry later that day, entries the next."""
    halts = [one for one in entries if isinstance(one, HaltSet) and one.name == "r_stop"]
    after = [one.at_ns for one in _entries(entries) if one.at_ns >= at(0, "09:40")]
    return [one.at_ns for one in halts] == [at(0, "09:40")] and min(after, default=0) >= at(
        1, "09:31"
    )


def _must_obey(entries: Sequence[Entry]) -> bool:
    names = [one.name for one in entries if isinstance(one, CommandTaken)]
    halted = range(at(0, "09:20"), at(0, "10:00"))
    denied = not any(one.at_ns in halted for one in _entries(entries))
    return (
        names == ["halt", "flatten", "resume", "flatten"] and denied and len(_entries(entries)) > 2
    )


def _must_kill(entries: Sequence[Entry]) -> bool:
    levels = [one.level for one in entries if isinstance(one, KillChanged)]
    killed = range(at(0, "09:25"), at(1, "09:00"))
    denied = not any(one.at_ns in killed for one in _entries(entries))
    return levels == ["halt", "flatten", "none"] and denied and len(_entries(entries)) > 1


def _must_vanish(entries: Sequence[Entry]) -> bool:
    levels = [one.level for one in entries if isinstance(one, KillChanged)]
    late = [one for one in _entries(entries) if one.at_ns >= at(0, "09:30")]
    return levels == ["halt"] and not late and len(_entries(entries)) > 0


def _must_hold(entries: Sequence[Entry]) -> bool:
    rolls = [one.open_positions for one in entries if isinstance(one, DayRolled)]
    return bool(rolls) and rolls[0] > 0 and "exit" in _legs(entries)


def _must_quarantine(entries: Sequence[Entry]) -> bool:
    raised = [one.strategy for one in entries if isinstance(one, EngineQuarantined)]
    late = [one.intent.strategy for one in _entries(entries) if one.at_ns >= at(1, "09:00")]
    return raised == ["one"] and "two" in late


def _two_days(interval_m: int, first: str, last: str) -> list[tuple[int, int]]:
    step = interval_m * MINUTE_NS
    return [(at(day, first) + step, at(day, last)) for day in (0, 1)]


SCENARIOS = (
    Scenario(
        "entries and exits",
        5,
        _two_days(5, "09:00", "10:30"),
        [(at(0, "09:20"), 14), (at(0, "09:45"), 0), (at(0, "10:05"), -14), (at(1, "09:20"), -8)],
        [
            strategy("one", 'script = "2:long,8:long,11:exit,13:long,20:short"', "5m"),
            strategy("two", 'script = "3:buy_stop,9:buy_stop,11:cancel,22:sell_stop"', "5m"),
        ],
        _must_trade,
        more="\n[paper]\npartial_fraction = 0.5\n",
    ),
    Scenario(
        "R-stop",
        1,
        _two_days(1, "09:30", "09:50"),
        [(at(0, "09:40"), -12), (at(1, "09:30"), 0)],
        [strategy("one", "every = 1, target_r = 0.0", "1m")],
        _must_stop,
        r_stop=-1.0,
    ),
    Scenario(
        "operator",
        5,
        _two_days(5, "09:00", "10:30"),
        [],
        [strategy("one", "every = 1", "5m")],
        _must_obey,
        acts=(
            Act(at(0, "09:20"), "ask", "halt"),
            Act(at(0, "09:30"), "ask", "flatten"),
            Act(at(0, "10:00"), "ask", "resume"),
            Act(at(1, "09:30"), "ask", "flatten"),
        ),
    ),
    Scenario(
        "kill file",
        5,
        _two_days(5, "09:00", "10:00"),
        [],
        [strategy("one", "every = 1", "5m", at_end="hold")],
        _must_kill,
        acts=(
            Act(at(0, "09:25"), "kill", "halt"),
            Act(at(0, "09:45"), "kill", "flatten"),
            Act(at(1, "09:15"), "unkill"),
            Act(at(1, "09:20"), "ask", "reset", "kill"),
        ),
    ),
    Scenario(
        "control folder",
        5,
        _two_days(5, "09:00", "09:40"),
        [(at(0, "09:15"), 12)],
        [strategy("one", "every = 1", "5m")],
        _must_vanish,
        acts=(Act(at(0, "09:30"), "vanish"), Act(at(1, "09:15"), "reappear")),
    ),
    Scenario(
        "over night",
        5,
        [(at(0, "22:35"), at(0, "23:30")), (at(1, "00:05"), at(1, "00:40"))],
        [],
        [
            strategy("one", 'script = "4:long,18:exit", stop_pips = 60.0', "5m", at_end="hold"),
            strategy("two", "every = 2", "5m", window="22:00-23:00"),
        ],
        _must_hold,
    ),
    Scenario(
        "quarantine",
        5,
        _two_days(5, "09:00", "09:40"),
        [],
        [
            strategy("one", 'script = "3:long,5:raise"', "5m", at_end="hold"),
            strategy("two", "every = 4", "5m"),
        ],
        _must_quarantine,
    ),
    Scenario(
        "no snapshot",
        5,
        [(at(0, "23:40"), at(1, "00:20")), (at(1, "09:05"), at(1, "09:50"))],
        [(at(1, "09:20"), 14)],
        [
            strategy("one", 'script = "2:long,14:exit", stop_pips = 60.0', "5m", at_end="hold"),
            strategy("two", 'script = "4:buy_stop,12:long"', "5m", at_end="hold"),
        ],
        _must_hold,
        forgets=True,
    ),
)
"""Every scenario of the sweep."""
