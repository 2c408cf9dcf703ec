"""A journal without a usable snapshot is folded into the one that it would have (REC-1, S1).

At every day's beginning a run takes a snapshot. What the fold makes of the entries up to there is
held to it field for field; where the journal leaves a doubt the fold must say nothing of that
moment, never something else.
"""

from __future__ import annotations

import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from config.fingerprint import fingerprint
from config.settings import Settings
from daemon.core.commands import Command
from daemon.runtime import boundary
from daemon.runtime.at_once import at_once
from daemon.runtime.bar_files import BarFiles
from daemon.runtime.boundary import last_boundary
from daemon.runtime.folded import Kept, fold
from daemon.runtime.instants import BarSource
from daemon.runtime.past import Past
from daemon.runtime.recovery import Divergence, Parts
from daemon.trading import Hooks, Trading
from daemon.wiring import build, intervals_of
from state import codec, failpoints
from state.codec import Snapshot
from state.entries import CommandTaken, DayRolled, Decided, EquityMarked
from state.errors import DamagedError, JournalError
from state.journal import read_chained, read_payloads
from state.units import DAY_NS, HOUR_NS, MINUTE_NS
from tests.many_days import DAYS, FIRST_NS, begun, command, lived, portfolio, recorded
from tests.trading import decisions, finish, go_on, go_to

DATABASE = "foliod.db"
MONDAY = 6
"""The first day after the weekend: it is rolled before its first bar closes, at 00:15."""
DAY_ENDS = 10
"""Snapshots of a day's beginning in an unbroken run."""


def _folded(
    settings: Settings, rows: list[tuple[int, bytes]], source: BarSource | None = None
) -> Kept | None:
    """Fold some first entries of a journal, with a core of their own."""
    source = source or BarFiles(settings, intervals_of(settings))
    folder = settings.bars[0].path.parent

    def parts() -> Parts:
        core = build(settings, source.keys(), folder)
        return Parts.of(core.desk, core.timers, core.broker, core.drawdown)

    return fold(iter(rows), source, settings.symbols(), fingerprint(settings), parts)


def _plain(snapshot: Snapshot) -> Any:  # noqa: ANN401 - JSON
    """Return all of a snapshot as JSON values: mappings compare without their order."""
    return msgspec.json.decode(codec.encode_snapshot(snapshot))


class Held:
    """How the fold of a journal compares to the snapshots that were taken on the way."""

    def __init__(
        self,
        settings: Settings,
        home: Path,
        kept: dict[int, Snapshot],
        source: BarSource | None = None,
    ) -> None:
        """Fold up to every snapshot, and hold what comes out to the one it is of."""
        rows = list(read_payloads(home / DATABASE))
        self.equal = self.open = self.older = self.none = 0
        for seq in kept:
            found = _folded(settings, rows[: seq + 1], source)
            if found is None:
                self.none += 1
                continue
            there = kept[found[0]]
            assert _plain(found[1]) == _plain(there), f"entry {found[0]}"
            mine, theirs = found[1].portfolio, there.portfolio
            assert codec.encode_snapshot(mine) == codec.encode_snapshot(theirs), "in its order"
            self.older += found[0] != seq
            self.equal += found[0] == seq
            self.open += found[0] == seq and bool(mine.positions or mine.orders)


COMMANDS = (
    command(1, 3.1, "deposit", "5000"),
    command(1, 12.1, "halt"),
    command(2, 1.2, "resume"),
    command(2, 23.9, "flatten"),
    command(3, 0.1, "withdraw", "777.77"),
    command(6, 10.1, "kill"),
    command(6, 20.1, "reset_kill"),
    command(7, 12.3, "kill_flatten"),
    command(8, 0.0, "reset_kill"),
    command(8, 11.1, "clear_cooldown", "EURUSD"),
    command(9, 0.0, "deposit", "10"),
)
HALTS = [
    command(day, hour, name)
    for day in range(1, DAYS - 1)
    for hour, name in ((1.0, "resume"), (22.6, "flatten"), (23.8, "halt"))
]
RESETS = tuple(command(day, 12.1, "reset", "drawdown") for day in (3, 7, 9))
ALL_BUT_NIGHTS = 'windows = [{ start = 02:00:00, end = 22:00:00, zone = "UTC" }]'

STORIES: dict[str, tuple[dict[str, Any], tuple[Command, ...], tuple[int, ...]]] = {
    "held over nights": ({}, (), ()),
    "trailing stops": ({"trail": 0.004}, (), ()),
    "filled at closes, in parts": ({"fill": "close", "partial": 0.4}, (), ()),
    "parts and rejects": ({"partial": 0.4, "reject": 5}, (), ()),
    "late at the market": ({"latency": 900}, (), ()),
    "a drawdown lock": ({"lock": 0.01, "quantity": 200_000}, (), ()),
    "a lock that is reset": (
        {"lock": 0.01, "quantity": 200_000, "rearm": "manual"}, RESETS, (),
    ),
    "R-stops": ({"every": 11, "quantity": 300_000, "r_stop": "-1.0"}, (), ()),
    "quarantined engines": ({"raises": 200}, (), ()),
    "flat over nights": ({"windows": ALL_BUT_NIGHTS, "at_end": "close"}, (), ()),
    "an operator, and restarts": ({}, COMMANDS, (100, 300, 301, 640)),
    "hardly a trade": ({"every": 211, "zone": "America/New_York"}, (), ()),
}  # fmt: skip


@pytest.mark.parametrize("name", STORIES)
def test_the_fold_equals_every_snapshot_field_by_field(name: str, tmp_path: Path) -> None:
    """Portfolio, books, alarms, the day's peak, the mark, engines, series, digests: all of it."""
    more, commands, restarts = STORIES[name]
    settings = portfolio(tmp_path, **more)

    kept = lived(settings, tmp_path / "home", tmp_path, commands, restarts)

    held = Held(settings, tmp_path / "home", kept)
    assert len(kept) == DAY_ENDS
    assert held.equal >= DAY_ENDS - 1
    assert held.open >= (3 if name in ("R-stops", "flat over nights") else 6)


def test_recorded_bars_are_folded_as_files_are(tmp_path: Path) -> None:
    """A live portfolio: warmed up before its beginning, bars that came late stepped alone."""
    settings, home = portfolio(tmp_path, trail=0.004), tmp_path / "home"
    home.mkdir()
    source = recorded(settings, home)
    begin_ns = FIRST_NS + 20 * HOUR_NS

    kept = lived(settings, home, tmp_path, COMMANDS[:4], [70], source=source, begin_ns=begin_ns)

    held = Held(settings, home, kept, source)
    assert held.equal >= DAY_ENDS - 1
    assert held.open >= 6
    recent = {symbol: list(bars) for symbol, bars in source.recent.items()}
    _forget(home)
    begun(settings, home, tmp_path, source=source, begin_ns=begin_ns).close()
    assert {symbol: list(bars) for symbol, bars in source.recent.items()} == recent


def test_what_is_in_doubt_is_an_older_moment_or_none(tmp_path: Path) -> None:
    """A day that begins at half an hour, and a trade is open: no entry tells the mark."""
    settings = portfolio(tmp_path, zone="Australia/Adelaide", slippage=0.0)

    held = Held(settings, tmp_path / "home", lived(settings, tmp_path / "home", tmp_path))

    assert held.equal > 0
    assert held.older > 0
    assert held.none > 0


@pytest.mark.parametrize(
    ("more", "given"),
    [
        ({"zone": "Asia/Kolkata", "every": 31, "seed": 3}, []),
        ({"every": 31, "seed": 2}, [command(MONDAY, 0.1, "deposit", "50000")]),
        ({"fill": "close", "every": 7}, [command(MONDAY, 0.25, "flatten")]),
        ({"latency": 900, "every": 2}, HALTS),
    ],
    ids=["the mark", "money that moved", "a fill after the watches", "an order on its way"],
)
def test_a_fold_that_doubts_nothing_is_caught(
    more: dict[str, Any], given: list[Command], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: without its doubts it differs from a snapshot in each of these portfolios."""
    settings = portfolio(tmp_path, **more)
    kept = lived(settings, tmp_path / "home", tmp_path, given)
    Held(settings, tmp_path / "home", kept)
    monkeypatch.setattr(boundary._Notes, "leave_no_doubt", lambda self, _: self.rolled is not None)

    with pytest.raises(AssertionError):
        Held(settings, tmp_path / "home", kept)


def test_the_comparison_can_fail(tmp_path: Path) -> None:
    """Control: a mark that was recorded a cent higher is found in what comes out."""
    settings = portfolio(tmp_path)
    kept = lived(settings, tmp_path / "home", tmp_path)
    rows = list(read_payloads(tmp_path / "home" / DATABASE))
    seq = list(kept)[4]
    marks = [n for n, (_, one) in enumerate(rows[:seq]) if codec.head(one).type == "EquityMarked"]
    mark = codec.decode(rows[marks[-1]][1])
    assert isinstance(mark, EquityMarked)
    changed = msgspec.structs.replace(mark, high_water=mark.high_water + 1)
    rows[marks[-1]] = (rows[marks[-1]][0], codec.encode(changed))

    found = _folded(settings, rows[: seq + 1])

    assert found is not None
    assert found[0] == seq
    assert found[1].drawdown["mark"] == kept[seq].drawdown["mark"] + 1
    assert _plain(found[1]) != _plain(kept[seq])


@pytest.mark.parametrize(
    ("hour", "name", "is_boundary"),
    [(0.1, "deposit", False), (0.25, "flatten", False), (0.1, "halt", True)],
    ids=["money moved", "filled after the watches", "control"],
)
def test_what_happened_between_roll_and_boundary_is_no_boundary(
    hour: float, name: str, is_boundary: bool, tmp_path: Path
) -> None:
    """Money that moved there, or a fill that no bar made, makes an older day the last one."""
    settings = portfolio(tmp_path, fill="close", every=61)
    given = command(MONDAY, hour, name, "100" if name == "deposit" else "")
    kept = lived(settings, tmp_path / "home", tmp_path, [given])
    rows = list(read_payloads(tmp_path / "home" / DATABASE))
    seq = next(one for one, snapshot in kept.items() if snapshot.portfolio.now_ns >= given.at_ns)

    found = last_boundary(iter(rows[: seq + 1]), fingerprint(settings))

    assert found is not None
    assert (found.seq == seq) == is_boundary
    entries = [codec.decode(one) for _, one in rows[:seq]]
    (roll,) = [n for n, one in enumerate(entries) if isinstance(one, DayRolled)][-1:]
    assert CommandTaken in {type(one) for one in entries[roll:]}


# The whole start ----------------------------------------------------------------------------------


def _forget(home: Path) -> None:
    """Remove every snapshot."""
    with closing(sqlite3.connect(home / DATABASE)) as database, database:
        assert database.execute("DELETE FROM snapshots").rowcount > 0


@pytest.fixture
def hits() -> Iterator[Counter[str]]:
    """Count the named points that are reached."""
    found: Counter[str] = Counter()
    failpoints.arm(lambda name: found.update([name]))
    yield found
    failpoints.arm(None)


def test_killed_anywhere_and_without_snapshots_no_later_decision_changes(
    tmp_path: Path, hits: Counter[str]
) -> None:
    """Fold, show the bars, decide less than two days again, go on: the journal is the same."""
    settings = portfolio(tmp_path, trail=0.004, partial=0.4)
    (tmp_path / "unbroken").mkdir()
    finish(begun(settings, tmp_path / "unbroken", tmp_path))
    whole = decisions(tmp_path / "unbroken")
    home = tmp_path / "home"
    home.mkdir()
    trading = begun(settings, home, tmp_path)
    for count in (100, 1, 95, 3, 230, 96, 57, 160):
        go_on(trading, count)
        trading.close()
        _forget(home)
        hits.clear()
        trading = Trading(settings, home, tmp_path, Hooks())
        assert hits["recovery.folded"] == 1
        assert hits["recovery.held"] < 300
        trading.close()
        trading = begun(settings, home, tmp_path)
    finish(trading)

    assert decisions(home) == whole
    assert len(whole) > 1_000


def test_a_program_that_decides_otherwise_comes_up_where_nothing_is_left_to_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry of long ago need not be decided again: what was true then is in the journal."""
    settings = portfolio(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    trading = begun(settings, home, tmp_path)
    day_end_ns, days = trading.stepper.day_end_ns, 0
    while days < 5:
        go_on(trading, 1)
        days += trading.stepper.day_end_ns != day_end_ns
        day_end_ns = trading.stepper.day_end_ns
    there = trading.core.portfolio
    trading.close()
    begun(settings, home, tmp_path).close()
    _forget(home)
    source = (tmp_path / "quick.py").read_text()
    (tmp_path / "quick.py").write_text(source.replace("45 * pip", "44 * pip"))
    for name in [one for one in sys.modules if one.startswith("foliod_user_quick_")]:
        monkeypatch.delitem(sys.modules, name)

    trading = Trading(settings, home, tmp_path, Hooks())
    trading.close()

    assert trading.core.portfolio.cash == there.cash
    assert trading.core.portfolio.positions == there.positions
    with pytest.raises(Divergence):  # control: decided again, it is another one
        Trading(settings, home, tmp_path, Hooks(), past=Past(home / DATABASE, None, there.seq))


def _changed_bar(settings: Settings) -> None:
    path = settings.bars[0].path
    lines = path.read_text().splitlines(keepends=True)
    stamp, *prices, volume = lines[50].split(",")
    lines[50] = ",".join([stamp, *prices, "2" + volume])
    path.write_text("".join(lines))


def _missing_bar(settings: Settings) -> None:
    path = settings.bars[0].path
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:50] + lines[51:]))


@pytest.mark.parametrize("change", [_changed_bar, _missing_bar])
def test_bars_that_are_not_those_of_then_are_refused(
    change: Callable[[Settings], None], tmp_path: Path
) -> None:
    """The digests do not hold: all is decided again, and says where the journal is another one."""
    settings = portfolio(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    trading = begun(settings, home, tmp_path)
    go_on(trading, 500)
    trading.close()
    _forget(home)
    change(settings)

    with pytest.raises(JournalError, match="cannot be decided again"):
        Trading(settings, home, tmp_path, Hooks())


def test_an_entry_that_was_changed_is_refused(tmp_path: Path) -> None:
    """What is folded is not decided again, so the chain is followed from the first entry on."""
    settings = portfolio(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    trading = begun(settings, home, tmp_path)
    go_on(trading, 200)
    trading.close()
    assert sum(1 for _ in read_chained(home / DATABASE)) > 100
    with closing(sqlite3.connect(home / DATABASE)) as database, database:
        database.execute("UPDATE journal SET payload = replace(payload, '1', '2') WHERE seq = 40")

    with pytest.raises(DamagedError, match="entry 40"):
        for _ in read_chained(home / DATABASE):
            pass


def test_a_boundary_is_of_the_present_configuration(tmp_path: Path) -> None:
    """Under another one, other parts were wired: the journal is not taken over by a fold."""
    settings = portfolio(tmp_path)
    lived(settings, tmp_path / "home", tmp_path)
    rows = list(read_payloads(tmp_path / "home" / DATABASE))

    assert last_boundary(iter(rows), fingerprint(settings)) is not None
    assert last_boundary(iter(rows), "of another one") is None
    assert any(isinstance(codec.decode(one), Decided) for _, one in rows)


@pytest.mark.parametrize("has_rung", [True, False])
def test_an_alarm_named_under_another_configuration_is_in_doubt(
    has_rung: bool, tmp_path: Path
) -> None:
    """The end of the day rang, then the configuration changed: when it rings next was said before.

    Control: rung under the new one, it is the new one's.
    """
    settings, home = portfolio(tmp_path), tmp_path / "home"
    costs = settings.costs.model_copy(update={"slippage_min_pips": Decimal("1.5")})
    other = settings.model_copy(update={"costs": costs})
    home.mkdir()
    trading = begun(settings, home, tmp_path)
    go_to(trading, FIRST_NS + 23 * HOUR_NS)
    if has_rung:
        at_once(trading.stepper.advance(FIRST_NS + DAY_NS - 3 * MINUTE_NS))
    at_once(trading.end_run("STOPPED"))
    trading.close()
    trading = begun(other, home, tmp_path)
    go_to(trading, FIRST_NS + DAY_NS + HOUR_NS)
    trading.close()

    rows = list(read_payloads(home / DATABASE))

    kinds = [codec.head(one).type for _, one in rows]
    assert "BarsConsumed" in kinds
    assert (last_boundary(iter(rows), fingerprint(other)) is None) == has_rung
