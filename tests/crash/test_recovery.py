"""Killed anywhere and started again, a portfolio decides as if it had never stopped (law 9, REC-5).

A kill is played by dropping every object and making new ones from the database and the bar files.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from config.settings import InstrumentSettings, Settings
from daemon.core.commands import Command
from daemon.core.engine import Engine
from daemon.runtime.at_once import at_once
from daemon.trading import Hooks, Trading
from state import codec, verify_fold
from state.entries import Filled, HaltSet, InstrumentSet, IntentRecorded, OrderChanged, RunStarted
from state.errors import ConfigError, JournalError
from state.journal import read_snapshots
from state.orders import Intent
from state.units import DAY_NS, HOUR_NS, SECOND_NS, utc_ns
from state.writer import Writer
from tests.history.checker import check_folder
from tests.trading import decisions, demo_settings, finish, go_on, go_to, journal_of, start

CUTS = 40
FIRST_NS = utc_ns(datetime(2024, 1, 16, tzinfo=UTC))


class Killed(Exception):
    """Stands for SIGKILL in the middle of an instant."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the demo's configuration and bars."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def settings(demo: Path) -> Settings:
    """Return the demo portfolio's settings."""
    return demo_settings(demo)


@pytest.fixture(scope="module")
def unbroken(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the home of a run that nothing stopped."""
    home = tmp_path_factory.mktemp("unbroken")
    finish(start(settings, home))
    return home


def _broken(settings: Settings, home: Path, steps: list[int]) -> list[bytes]:
    """Kill after so many instants each time, then run to the end; return the decisions."""
    for count in steps:
        trading = start(settings, home)
        go_on(trading, count)
        trading.close()
    finish(start(settings, home))
    return decisions(home)


def _holds(home: Path, demo: Path) -> None:
    """Hold a portfolio to every invariant, by a checker that shares no code with the program."""
    report = check_folder(home, demo / "foliod.toml")
    assert report.found == []
    assert report.left_out == []


def test_forty_kills_change_no_decision(
    demo: Path, settings: Settings, unbroken: Path, tmp_path: Path
) -> None:
    """Forty kills after scattered bars: every entry is that of the unbroken run, books included."""
    cuts = sorted({1 + 3_571 * number % 8_599 for number in range(1, CUTS + 1)})
    steps = [after - before for before, after in zip([0, *cuts], cuts, strict=False)]

    found = _broken(settings, tmp_path, steps)

    assert found == decisions(unbroken)
    assert sum(isinstance(one, RunStarted) for one in journal_of(tmp_path)) == CUTS + 1
    assert verify_fold.check(tmp_path / "foliod.db") == []
    _holds(tmp_path, demo)


def test_kills_between_intent_and_order_change_no_decision(
    demo: Path, settings: Settings, unbroken: Path, tmp_path: Path
) -> None:
    """Killed when an intent is durable and its order not yet out, the instant is finished first."""
    kills, seen = 0, 0

    def refuse(_: Intent) -> str | None:
        nonlocal seen
        seen += 1
        if seen % 7 == 0:
            raise Killed
        return None

    while True:
        trading: Trading | None = None
        try:
            trading = start(settings, tmp_path, Hooks(refuse=refuse))
            go_on(trading, 1 << 40)
            at_once(trading.end_history())
            break
        except Killed:
            kills += 1
        finally:
            if trading is not None:
                trading.close()
    assert kills >= 10
    assert decisions(tmp_path) == decisions(unbroken)
    _holds(tmp_path, demo)


@pytest.mark.parametrize("part", [0.02, 0.37, 0.93])
def test_a_journal_without_snapshots_is_enough(
    settings: Settings, unbroken: Path, tmp_path: Path, part: float
) -> None:
    """Any number of first entries, without a snapshot, comes to the same end."""
    entries = journal_of(unbroken)
    with Writer(tmp_path / "foliod.db", "NORMAL") as writer:
        writer.submit(entries[: round(len(entries) * part)]).result()

    finish(start(settings, tmp_path))

    assert decisions(tmp_path) == decisions(unbroken)


def test_a_forgotten_engine_state_is_noticed(
    settings: Settings, unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: when the engines' states are thrown away, the journals differ."""
    trading = start(settings, tmp_path)
    go_on(trading, 3_000)
    at_once(trading.end_run("STOPPED"))
    trading.close()
    monkeypatch.setattr(Engine, "restore", lambda self, state: None)

    try:
        finish(start(settings, tmp_path))
    except JournalError:
        return
    assert decisions(tmp_path) != decisions(unbroken)


def test_an_engine_without_a_state_is_built_anew_from_the_bars(
    settings: Settings, unbroken: Path, tmp_path: Path
) -> None:
    """A snapshot that lacks engines and series costs time, and changes no decision."""
    trading = start(settings, tmp_path)
    go_on(trading, 3_000)
    at_once(trading.end_run("STOPPED"))
    trading.close()
    seq, snapshot = read_snapshots(tmp_path / "foliod.db")[0]
    snapshot.engines.clear()
    snapshot.series.clear()
    payload = codec.encode_snapshot(snapshot)
    with Writer(tmp_path / "foliod.db", "NORMAL") as writer:
        writer.snapshot(seq, snapshot.portfolio.now_ns, payload).result()

    finish(start(settings, tmp_path))

    assert decisions(tmp_path) == decisions(unbroken)


def test_a_halt_and_its_instant_survive_kills(
    demo: Path, settings: Settings, tmp_path: Path
) -> None:
    """An operator's halt denies until it is lifted, however often the process dies in between."""
    homes = tmp_path / "unbroken", tmp_path / "broken"
    for home in homes:
        trading = start(settings, home)
        for name, day in (("halt", 7), ("resume", 14)):
            at_ns = FIRST_NS + day * DAY_NS + 8 * HOUR_NS
            go_to(trading, at_ns)
            at_once(trading.give(Command(at_ns + SECOND_NS, name, "", "by hand")))
            for later in (0, 2, 26):
                go_to(trading, at_ns + later * HOUR_NS)
                if home is homes[1]:
                    trading.close()
                    trading = start(settings, home)
        finish(trading)

    assert decisions(homes[1]) == decisions(homes[0])
    assert any(isinstance(one, HaltSet) and one.name == "operator" for one in journal_of(homes[1]))
    _holds(homes[1], demo)


def test_an_order_stopped_by_the_gate_stays_stopped(
    demo: Path, settings: Settings, tmp_path: Path
) -> None:
    """What the kill gate kept back at the last moment is not sent by the recovery."""
    homes = tmp_path / "unbroken", tmp_path / "broken"
    for home in homes:
        hooks = Hooks(refuse=lambda _: "KILL_SWITCH")
        trading = start(settings, home, hooks)
        go_on(trading, 1_500)
        if home is homes[1]:
            trading.close()
            trading = start(settings, home, hooks)
        go_on(trading, 500)
        trading.close()

    entries = journal_of(homes[1])
    intents = [one for one in entries if isinstance(one, IntentRecorded)]
    refused = [one for one in entries if isinstance(one, OrderChanged)]
    assert len(intents) == len(refused) > 5
    assert {one.code for one in refused} == {"KILL_SWITCH"}
    assert not any(isinstance(one, Filled) for one in entries)
    assert decisions(homes[1]) == decisions(homes[0])
    _holds(homes[1], demo)


def test_another_configuration_must_wait_for_an_orderly_stop(
    settings: Settings, tmp_path: Path
) -> None:
    """What was decided after the last snapshot cannot be decided under another configuration."""
    costs = settings.costs.model_copy(
        update={"slippage_min_pips": settings.costs.slippage_min_pips + 1}
    )
    other = settings.model_copy(update={"costs": costs})
    trading = start(settings, tmp_path)
    go_on(trading, 2_000)
    trading.close()

    with pytest.raises(ConfigError, match="another configuration"):
        start(other, tmp_path)

    trading = start(settings, tmp_path)
    at_once(trading.end_run("STOPPED"))
    trading.close()
    start(other, tmp_path).close()
    hashes = [one.config_hash for one in journal_of(tmp_path) if isinstance(one, RunStarted)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_changed_bars_are_noticed(settings: Settings, tmp_path: Path) -> None:
    """Bars that are not those of then cannot repeat the tail; the operator is told."""
    home = tmp_path / "home"
    trading = start(settings, home)
    go_to(trading, FIRST_NS + 7 * DAY_NS + 15 * HOUR_NS)
    trading.close()
    bars = []
    for one in settings.bars:
        rows = one.path.read_text().splitlines(keepends=True)
        kept = [row for row in rows if not row.startswith(("2024-01-23T07", "2024-01-23 07"))]
        assert len(kept) < len(rows)
        path = tmp_path / one.path.name
        path.write_text("".join(kept))
        bars.append(one.model_copy(update={"path": path}))

    with pytest.raises(JournalError, match="cannot be decided again"):
        start(settings.model_copy(update={"bars": tuple(bars)}), home)


def test_time_that_passes_between_bars_changes_no_decision(
    settings: Settings, unbroken: Path, tmp_path: Path
) -> None:
    """Alarms and rolls come at their instants, told of time or not, and killed right after."""
    trading = start(settings, tmp_path)
    killed_at: list[int] = []
    while (coming := trading.coming()) is not None:
        before = trading.core.portfolio.seq
        for now_ns in (trading.now_ns + 1, (trading.now_ns + coming.now_ns) // 2, coming.now_ns):
            at_once(trading.stepper.advance(now_ns))
        if trading.core.portfolio.seq > before and coming.now_ns not in killed_at:
            killed_at.append(coming.now_ns)
            trading.close()
            trading = start(settings, tmp_path)
            continue
        at_once(trading.step(trading.take()))
    at_once(trading.end_history())
    trading.close()

    assert len(killed_at) > 3
    assert decisions(tmp_path) == decisions(unbroken)


def test_an_r_stop_outlives_a_kill(settings: Settings, tmp_path: Path) -> None:
    """Latched, then killed: no entry that trading day, entries on a later one (RSK-2)."""
    risk = settings.risk.model_copy(update={"daily_r_stop": -1.0})
    tight = settings.model_copy(update={"risk": risk})
    trading = start(tight, tmp_path)
    while "r_stop" not in trading.core.portfolio.halts:
        assert go_on(trading, 1) == 1
    halt = trading.core.portfolio.halts["r_stop"]
    latched = trading.core.portfolio.seq
    trading.close()

    trading = start(tight, tmp_path)
    assert trading.core.portfolio.halts["r_stop"] == halt
    finish(trading)

    later = [one for one in journal_of(tmp_path)[latched:] if isinstance(one, IntentRecorded)]
    entered = {one.intent.day for one in later if one.intent.purpose == "entry"}
    assert halt.day not in entered
    assert min(entered) > halt.day


def test_a_kill_after_an_instrument_changed_is_come_up_from(
    settings: Settings, tmp_path: Path
) -> None:
    """A start journals instruments that changed: no core decides that, recovery takes it over."""
    trading = start(settings, tmp_path)
    go_on(trading, 200)
    at_once(trading.end_run("STOPPED"))
    trading.close()
    given = InstrumentSettings(spread_pips=Decimal("0.7"))
    instruments = {**settings.instruments, "EURUSD": given}
    other = settings.model_copy(update={"instruments": instruments})
    trading = start(other, tmp_path)
    go_on(trading, 100)
    trading.close()

    trading = start(other, tmp_path)
    go_on(trading, 1)
    trading.close()

    changed = [one for one in journal_of(tmp_path) if isinstance(one, InstrumentSet)]
    spreads = [one.instrument.spread_pips for one in changed if one.instrument.symbol == "EURUSD"]
    assert len(spreads) == 2
    assert spreads[1] == Decimal("0.7")
    assert verify_fold.check(tmp_path / "foliod.db") == []


def test_a_command_after_the_last_bar_is_decided_again(settings: Settings, tmp_path: Path) -> None:
    """The bars are over, the operator still speaks, the process dies: the next one comes up."""
    homes = tmp_path / "unbroken", tmp_path / "broken"
    for home in homes:
        trading = start(settings, home)
        go_on(trading, 1 << 40)
        at_once(trading.give(Command(trading.now_ns + 1, "halt", "", "by hand")))
        if home is homes[1]:
            trading.close()
            trading = start(settings, home)
        finish(trading)

    assert decisions(homes[1]) == decisions(homes[0])
    assert verify_fold.check(homes[1] / "foliod.db") == []


def test_a_start_does_not_go_back_in_time(settings: Settings, tmp_path: Path) -> None:
    """Killed between two bars after something was recorded: what follows is not dated before it."""
    trading = start(settings, tmp_path)
    go_on(trading, 1_500)
    at_ns = trading.now_ns + 30 * SECOND_NS
    at_once(trading.give(Command(at_ns, "halt", "", "by hand")))
    trading.close()

    trading = start(settings, tmp_path)
    assert trading.at_ns == at_ns
    finish(trading)

    instants = [one.at_ns for one in journal_of(tmp_path)]
    assert instants == sorted(instants)
