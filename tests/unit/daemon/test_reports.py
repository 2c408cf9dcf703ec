"""Daily reports and the summary of a run, from the two days written by hand."""

from __future__ import annotations

import io
import json
import re
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from daemon.core.plain import markdown, plain
from daemon.reports.daily import read_report, write_due
from daemon.reports.summary import show, summarise, write_summary
from state.entries import CashMoved, DayRolled, Entry, EquityMarked
from state.errors import JournalError
from state.units import DAY_NS, HOUR_NS
from tests.run_folders import (
    DAY_ONE,
    DAY_TWO,
    T0,
    beginning,
    closing,
    decided,
    opening,
    two_days,
    write_run,
)

NOW = T0 + 2 * DAY_NS


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return the run folder of the two days."""
    return write_run(tmp_path / "run", two_days())


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {one.name: one.read_bytes() for one in sorted(folder.iterdir())}


async def test_every_day_gets_a_report_the_last_one_provisional(run: Path) -> None:
    """T2: the rolled day is final, the day that has not rolled is provisional."""
    written = await write_due(run, NOW)
    assert [one.name for one in written] == [
        "2017-01-05.json",
        "2017-01-05.md",
        "2017-01-05.html",
        "2017-01-06.json",
        "2017-01-06.md",
        "2017-01-06.html",
    ]
    first, second = (read_report(one) for one in written[::3])
    assert first is not None and second is not None
    assert (first.final, second.final) == (True, False)
    assert (first.mode, first.config_hash, first.generated) == (
        "replay",
        "cafe",
        "2017-01-07T00:00:00Z",
    )


async def test_a_day_report_adds_up(run: Path) -> None:
    """T2: day one by hand: one trade, 1.00 - 0.10 fees = 0.90 = 0.9 R, one denial by the window."""
    await write_due(run, NOW)
    found = read_report(run / "reports/daily/2017-01-05.json")
    assert found is not None
    assert (found.trades.trades, found.trades.wins, found.trades.win_rate) == (1, 1, 1.0)
    assert (found.realised_pnl, found.trades.fees, found.trades.r) == (
        Decimal("0.90"),
        Decimal("0.10"),
        0.9,
    )
    assert (found.start_equity, found.end_equity) == (Decimal(100), Decimal("100.90"))
    assert found.biggest_winner is not None and found.biggest_loser is None
    assert found.biggest_winner.trade_id == "t1"
    assert found.denials == {"window": {"OUTSIDE_WINDOW": 1}}
    assert [one.name for one in found.by_strategy] == ["orb"]
    assert (found.sharpe.value, found.sharpe.n) == (None, 1)


async def test_the_present_day_is_measured_as_far_as_it_went(run: Path) -> None:
    """T2: day two: -0.55, equity 100.90 to 100.50: a fall of 0.40 / 100.90; one open."""
    await write_due(run, NOW)
    found = read_report(run / "reports/daily/2017-01-06.json")
    assert found is not None
    assert (found.realised_pnl, found.open_positions) == (Decimal("-0.55"), 1)
    assert found.drawdown == pytest.approx(0.40 / 100.90, abs=1e-8)
    assert found.denials == {"spacing": {"SPACING": 1}}


async def test_a_second_run_writes_nothing(run: Path) -> None:
    """T2: idempotent; not even `generated` changes."""
    await write_due(run, NOW)
    before = contents(run / "reports/daily")
    assert await write_due(run, NOW + HOUR_NS) == []
    assert contents(run / "reports/daily") == before


async def test_the_same_journal_gives_the_same_bytes(tmp_path: Path) -> None:
    """V1: two runs of the same bars have the same reports."""
    runs = [write_run(tmp_path / name, two_days()) for name in ("one", "two")]
    for run in runs:
        await write_due(run, NOW)
    assert contents(runs[0] / "reports/daily") == contents(runs[1] / "reports/daily")


async def test_days_that_are_missing_are_caught_up(run: Path) -> None:
    """T2: a report that was lost, or torn, is written again; the others are left alone."""
    await write_due(run, NOW)
    folder = run / "reports/daily"
    before = contents(folder)
    (folder / "2017-01-05.json").write_bytes(before["2017-01-05.json"][:40])
    written = await write_due(run, NOW)
    assert [one.name for one in written] == [
        "2017-01-05.json",
        "2017-01-05.md",
        "2017-01-05.html",
    ]
    for kind in ("md", "html"):
        (folder / f"2017-01-05.{kind}").unlink()
        await write_due(run, NOW)
        assert contents(folder) == before


async def test_a_provisional_report_becomes_final_when_the_day_rolls(tmp_path: Path) -> None:
    """T2: provisional at the end of the day, final after the roll."""
    run = write_run(tmp_path / "run", two_days()[:-1])
    await write_due(run, NOW)
    rolled = DayRolled(
        NOW, DAY_TWO, DAY_TWO + 1, Decimal("100.90"), Decimal("100.50"), Decimal("-0.45"),
        Decimal("0.10"), 1, 0.004, 1,
    )  # fmt: skip
    write_run(run, [rolled])
    written = await write_due(run, NOW + HOUR_NS, provisional=False)
    assert [one.name for one in written] == [
        "2017-01-06.json",
        "2017-01-06.md",
        "2017-01-06.html",
    ]
    found = read_report(written[0])
    assert found is not None
    assert (found.final, found.end_equity, found.open_positions) == (True, Decimal("100.50"), 1)


async def test_the_operators_notes_are_included_and_never_written(run: Path) -> None:
    """T2: YYYY-MM-DD.notes.md is the operator's; new notes renew the report."""
    await write_due(run, NOW)
    notes = run / "reports/daily/2017-01-05.notes.md"
    notes.write_text("broker was slow\n")
    assert len(await write_due(run, NOW)) == 3
    assert "## Notes\n\nbroker was slow\n" in (run / "reports/daily/2017-01-05.md").read_text()
    assert notes.read_text() == "broker was slow\n"
    assert await write_due(run, NOW) == []


async def test_strategies_and_symbols_stand_by_pnl(tmp_path: Path) -> None:
    """T2: per strategy and per symbol sorted by P&L, best first."""
    entries: list[Entry] = beginning()
    for number, (name, pnl) in enumerate((("b", "-1.00"), ("a", "3.00"), ("c", "1.00"))):
        at = T0 + number * 2 * HOUR_NS
        entries += opening(f"t{number}", at, name, 1, 105_000)
        entries += closing(f"t{number}", at + HOUR_NS, name, 1, 105_100, pnl, "target")
    run = write_run(tmp_path / "run", entries)
    (path, _, _) = await write_due(run, NOW)
    found = read_report(path)
    assert found is not None
    assert [one.name for one in found.by_strategy] == ["a", "c", "b"]
    assert found.biggest_loser is not None and found.biggest_loser.strategy == "b"
    # Won 2.90 + 0.90, lost 1.10.
    assert found.trades.profit_factor == pytest.approx(3.80 / 1.10, abs=1e-6)


async def test_a_deposit_is_no_profit(tmp_path: Path) -> None:
    """R4, T2: 100 becomes 150 by a deposit of 50; the day's return and the drawdown are 0."""
    entries: list[Entry] = [
        *beginning(),
        CashMoved(T0 + HOUR_NS, Decimal(50), "more"),
        EquityMarked(T0 + 2 * HOUR_NS, Decimal(150), Decimal(0), Decimal(150)),
        DayRolled(
            T0 + DAY_NS, DAY_ONE, DAY_TWO, Decimal(100), Decimal(150), Decimal(0), Decimal(0), 0,
            0.0, 0,
        ),
        CashMoved(T0 + DAY_NS + 1, Decimal(-100), "less"),
        EquityMarked(T0 + DAY_NS + 2, Decimal(50), Decimal(0), Decimal(50)),
    ]  # fmt: skip
    run = write_run(tmp_path / "run", entries)
    summary = await summarise(run, NOW)
    assert summary.drawdown == 0.0
    assert (summary.start_equity, summary.end_equity) == (Decimal(100), Decimal(50))
    await write_due(run, NOW)


async def test_a_summary_adds_up_the_run(run: Path) -> None:
    """V1: 2 trades, 0.90 - 0.55 = 0.35; the R-stop day, refused bars, denials by gate and code."""
    found = await summarise(run, NOW)
    assert (found.trades.trades, found.trades.wins, found.trades.losses) == (2, 1, 1)
    assert (found.trades.pnl, found.trades.r) == (Decimal("0.35"), 0.35)
    assert found.trades.fees == Decimal("0.20")
    assert found.days_stopped == ["2017-01-06"]
    assert [(one.reason, one.count) for one in found.refused_bars] == [("HIGH_TOO_LOW", 3)]
    assert found.denials == {"spacing": {"SPACING": 1}, "window": {"OUTSIDE_WINDOW": 1}}
    assert (found.days, found.open_positions, found.ended) == (2, 1, "END_OF_HISTORY")
    assert len(found.next_commands) == 3
    assert found.drawdown == pytest.approx(0.40 / 100.90, abs=1e-8)


async def test_a_summary_is_written_twice_with_the_same_bytes(run: Path) -> None:
    """V1: JSON and Markdown."""
    await write_summary(run, NOW)
    before = (run / "summary.json").read_bytes(), (run / "summary.md").read_bytes()
    await write_summary(run, NOW)
    assert ((run / "summary.json").read_bytes(), (run / "summary.md").read_bytes()) == before
    assert json.loads(before[0])["trades"]["pnl"] == "0.35"


async def test_the_picture_of_a_day_begins_with_what_the_day_began_with(run: Path) -> None:
    """T2: what was lost before the first mark is in the picture: the second day began at 100.90."""
    written = await write_due(run, NOW)

    line = re.search(r'class="line" d="M([^"]+)"', written[5].read_text(encoding="utf-8"))

    assert line is not None
    heights = [float(point.split()[1]) for point in line[1].split("L")]
    assert heights[0] == heights[1] < heights[-1]  # flat from 100.90, then down: y grows downwards


async def test_an_empty_run_has_a_summary_and_a_report(tmp_path: Path) -> None:
    """A run without a single bar: nothing divides by zero."""
    run = write_run(tmp_path / "run", beginning())
    summary = await write_summary(run, NOW)
    assert (summary.trades.trades, summary.trades.win_rate, summary.ended) == (0, None, "")
    assert len(await write_due(run, NOW)) == 3


async def test_a_run_without_entries_is_said(tmp_path: Path) -> None:
    """A run that died at once: no reports, and a sentence instead of a summary."""
    run = write_run(tmp_path / "run", [])
    assert await write_due(run, NOW) == []
    with pytest.raises(JournalError, match="no run was recorded"):
        await summarise(run, NOW)


async def test_a_journal_that_cannot_be_read_is_said(run: Path) -> None:
    """A damaged payload names the database's trouble, never a half report."""
    connection = sqlite3.connect(run / "foliod.db")
    connection.execute("UPDATE journal SET payload = '{' WHERE kind = 'Decided'")
    connection.commit()
    connection.close()
    with pytest.raises(JournalError):
        await write_due(run, NOW)
    assert not (run / "reports").exists()


async def test_hostile_names_do_not_reach_the_reports(tmp_path: Path) -> None:
    """X2: no terminal escape, no broken table, no HTML from a name."""
    name = "a|b\x1b[2J<script>\n# x"
    entries: list[Entry] = [
        *beginning(),
        *opening("t1", T0, name, 1, 105_000),
        *closing("t1", T0 + HOUR_NS, name, 1, 105_100, "1.00", "target"),
        decided(T0 + 2 * HOUR_NS, name, gate="window", code="OUTSIDE_WINDOW"),
    ]
    run = write_run(tmp_path / "run", entries)
    summary = await write_summary(run, NOW)
    await write_due(run, NOW)
    stream = io.StringIO()
    show(summary, Console(file=stream, width=100, no_color=True))
    texts = [
        stream.getvalue(),
        (run / "summary.md").read_text(),
        (run / "reports/daily/2017-01-05.md").read_text(),
    ]
    for text in texts:
        assert "\x1b" not in text
        assert "\n# x" not in text
    for text in (texts[1].partition("## Next")[0], texts[2]):  # "Next" is a block of code
        assert "<script>" not in text
        assert "a|b" not in text


def test_plain_and_markdown_escape_what_they_must() -> None:
    """Control and direction characters are written out; Markdown's own signs are escaped."""
    assert plain("a\tb\u202ec\x9b") == "a\\x09b\\u202ec\\x9b"
    assert markdown("[x](y) _z_ OUTSIDE_WINDOW *&") == (r"\[x\](y) \_z\_ OUTSIDE_WINDOW \*&amp;")


async def test_a_full_page_of_a_day_stays_small(tmp_path: Path) -> None:
    """T2: 100 strategies that traded, a denial each, 64 KiB of notes: at most 400 KB."""
    entries: list[Entry] = beginning()
    for number in range(100):
        name = f"strategy_with_a_name_{number:03d}"
        at = T0 + number * HOUR_NS // 10
        entries += opening(f"t{number}", at, name, 1, 105_000)
        entries += closing(f"t{number}", at + HOUR_NS // 20, name, 1, 105_100, "1.00", "target")
        entries.append(decided(at + HOUR_NS // 15, name, gate="window", code=f"CODE_{number}"))
    run = write_run(tmp_path / "run", entries)
    notes = run / "reports/daily/2017-01-05.notes.md"
    notes.parent.mkdir(parents=True)
    notes.write_text('We saw a "gap" & waited.\n' * 2600)
    (_, _, page) = await write_due(run, NOW)

    assert page.stat().st_size <= 400_000
