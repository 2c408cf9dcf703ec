"""A daemon's day decided once more, held to what it did decide (C2, V1)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest

from config.settings import Settings
from daemon.parity import Parity, redecide, text, write_parity
from daemon.runtime.at_once import at_once
from daemon.trading import Hooks
from state.entries import Decided
from state.errors import JournalError
from state.units import DAY_NS, HOUR_NS, utc_ns
from tests.trading import demo_settings, go_on, go_to, journal_of, start

FIRST = date(2024, 1, 15).toordinal()
FIRST_NS = utc_ns(datetime(2024, 1, 15, tzinfo=UTC))
NINE_NS = 9 * HOUR_NS


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return the demo portfolio's settings."""
    return demo_settings(tmp_path_factory.mktemp("demo"))


@pytest.fixture
def home(settings: Settings, tmp_path: Path) -> Path:
    """Return the home of a daemon killed at nine on its third day, once restarted on the second."""
    home = tmp_path / "home"
    trading = start(settings, home)
    go_to(trading, FIRST_NS + DAY_NS + NINE_NS)
    trading.close()
    trading = start(settings, home)
    go_to(trading, FIRST_NS + 2 * DAY_NS + NINE_NS)
    trading.close()
    return home


async def test_the_day_that_goes_on_is_decided_again(settings: Settings, home: Path) -> None:
    """Killed in the middle of it: as far as the journal goes, and nothing is written to it."""
    before = (home / "foliod.db").read_bytes()
    found = await redecide(home, settings)
    assert (found.ok, found.whole, found.final) == (True, True, False)
    assert found.date == "2024-01-17"
    assert found.until_seq == len(journal_of(home))
    assert found.entries == found.until_seq - found.since_seq > 0
    assert (home / "foliod.db").read_bytes() == before


async def test_a_day_over_a_restart_is_decided_again(settings: Settings, home: Path) -> None:
    """A day that has rolled: up to its roll, from before its first entry."""
    found = await redecide(home, settings, FIRST + 1)
    assert (found.ok, found.whole, found.final) == (True, True, True)
    assert found.until == "2024-01-17T00:00:00Z"
    assert any(isinstance(one, Decided) for one in journal_of(home)[found.since_seq :])


async def test_bars_that_were_changed_are_a_divergence(
    settings: Settings, home: Path, tmp_path: Path
) -> None:
    """The first difference is named; the report says so, in both its forms."""
    bars = []
    for one in settings.bars:
        path = tmp_path / one.path.name
        rows = one.path.read_text().splitlines(keepends=True)
        kept = [row for row in rows if not row.startswith(("2024-01-17T0", "2024-01-17 0"))]
        assert len(kept) < len(rows)
        path.write_text("".join(kept))
        bars.append(one.model_copy(update={"path": path}))
    config_hash = (await redecide(home, settings)).config_hash
    changed = settings.model_copy(update={"bars": tuple(bars)})

    found = await redecide(home, changed)

    assert found.config_hash == config_hash
    assert not found.ok
    assert found.divergence.startswith("entry ")
    path = write_parity(home, found)
    assert path.name == "2024-01-17.parity.md"
    assert "The first difference: entry" in path.read_text()
    twin = path.with_suffix(".json").read_bytes()
    assert msgspec.json.decode(twin, type=Parity) == found


async def test_what_another_configuration_decided_is_left_out(
    settings: Settings, home: Path
) -> None:
    """Only what was decided under this configuration can be decided again; the rest is named."""
    costs = settings.costs.model_copy(update={"slippage_min_pips": 2.0})
    other = settings.model_copy(update={"costs": costs})
    found = await redecide(home, other)
    assert not found.ok
    assert "another configuration" in found.problem

    trading = start(settings, home)
    at_once(trading.end_run("STOPPED"))
    trading.close()
    trading = start(other, home)
    go_on(trading, 60)
    trading.close()
    old, new = await redecide(home, settings), await redecide(home, other)
    assert (old.ok, old.whole) == (new.ok, new.whole) == (True, False)
    assert "the configuration changed" in old.left_out
    assert "the oldest usable snapshot" in new.left_out
    assert "Left out: " in "\n".join(text(new))


async def test_a_journal_without_snapshots_is_decided_again_from_its_first_entry(
    settings: Settings, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Snapshots are caches: without any the whole journal is decided again."""
    monkeypatch.setattr("daemon.parity.read_snapshots", lambda _: [])
    found = await redecide(home, settings)
    assert (found.ok, found.whole, found.since_seq) == (True, True, 0)


async def test_an_order_kept_back_by_the_kill_gate_is_kept_back_again(
    settings: Settings, tmp_path: Path
) -> None:
    """What the gate did in the middle of an instant is an input, and is in the journal."""
    trading = start(settings, tmp_path / "home", Hooks(refuse=lambda _: "KILL_SWITCH"))
    go_on(trading, 900)
    trading.close()
    found = await redecide(tmp_path / "home", settings)
    assert (found.ok, found.whole) == (True, True)


async def test_a_day_that_the_journal_does_not_know_is_refused(
    settings: Settings, home: Path
) -> None:
    """A day before the first, or one yet to come."""
    with pytest.raises(JournalError, match="knows no trading day 2023-01-01"):
        await redecide(home, settings, date(2023, 1, 1).toordinal())
