"""Names that are commands to a terminal, a browser or a spreadsheet are none here (X2)."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from daemon.runtime.events_file import EventsFile
from daemon.runtime.trade_log import NAME, ClosedTrades, TradeLog
from state.entries import (
    CashMoved,
    CommandTaken,
    EngineQuarantined,
    Entry,
    HaltSet,
    KillChanged,
    RunEnded,
)
from state.units import HOUR_NS
from tests.run_folders import T0, beginning, closing, decided, opening, write_run
from tests.small_runs import call

BAD = '=cmd|"\x1b[2J\x9b31m<script>alert(1)</script>\u202e\r\n# x'
LATER = T0 + 4 * HOUR_NS
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def entries() -> list[Entry]:
    """Return a journal whose every free text is hostile."""
    return [
        *beginning(),
        *opening("t1", T0, BAD, 1, 105_000),
        *closing("t1", T0 + HOUR_NS, BAD, 1, 105_100, "1.00", "target"),
        decided(T0 + 2 * HOUR_NS, BAD, gate="window", code="OUTSIDE_WINDOW"),
        *opening("t2", T0 + 3 * HOUR_NS, BAD, 1, 105_000),
        HaltSet(LATER, "operator", "HALTED", BAD, BAD, BAD),
        KillChanged(LATER, "halt", BAD),
        CommandTaken(LATER, "halt", BAD, BAD),
        EngineQuarantined(LATER, "EURUSD", BAD, BAD, BAD),
        CashMoved(LATER, Decimal(5), BAD),
        RunEnded(T0 + 5 * HOUR_NS, "rabc", BAD),
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run with that journal, and its events."""
    folder = write_run(tmp_path_factory.mktemp("hostile") / "run", entries())
    (folder / "logs").mkdir()
    events = EventsFile(folder / "logs", BAD, BAD)
    for seq, entry in enumerate(entries(), start=1):
        events.take(seq, entry)
    events.close()
    return folder


TABLES = ("trades", "positions", "orders", "equity", "days", "plans")


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        *(("show", table) for table in TABLES),
        ("why", BAD, "EURUSD"),
        ("why", "orb", "EURUSD"),
        ("tail",),
        ("report", "day"),
        ("report", "week"),
        ("report", "inception"),
        ("report", "tearsheet"),
        ("verify",),
    ],
    ids=" ".join,
)
def test_no_command_sends_a_terminal_anything(
    run: Path, command: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """No control character but the end of a line, no change of direction, on either stream."""
    call(*command, run)
    shown = capsys.readouterr()
    assert shown.out + shown.err
    assert UNSAFE.findall(shown.out + shown.err) == []
    assert "\n# x" not in shown.out + shown.err


def test_no_page_runs_anything(run: Path) -> None:
    """No element and no heading out of a name, in any page or Markdown file."""
    for command in ("day", "week", "month", "inception", "tearsheet"):
        call("report", command, run)
    pages = [*run.rglob("*.html"), *run.rglob("*.md")]
    assert len(pages) >= 9
    for page in pages:
        text = page.read_text()
        assert UNSAFE.findall(text) == []
        assert "<script" not in text.replace("\\<script", "")
        assert "\n# x" not in text


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    """``trades.csv`` through a CSV reader: no cell begins as a formula, none holds a control."""
    trades = ClosedTrades()
    for seq, entry in enumerate(entries(), start=1):
        trades.take(seq, entry)
    log = TradeLog(tmp_path / NAME)
    log.add(trades.closed())
    log.flush()
    log.close()
    with (tmp_path / NAME).open(newline="") as file:
        header, row = csv.reader(file)
    assert row[header.index("strategy")].startswith("'=cmd|")
    for name, cell in zip(header, row, strict=True):
        assert UNSAFE.findall(cell) == []
        assert not cell.startswith(("=", "@", "+")), name
        assert not cell.startswith("-") or float(cell) < 0, name


def test_sessions_with_such_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session is named by its file, which may be named so: page and terminal show it plain."""
    name = BAD.replace("/", "")
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"2024-01-{day:02d}T00:00:00Z,{1000 + day}\n" for day in range(1, 29))
    (tmp_path / f"equity_{name}.csv").write_text("timestamp,equity\n" + rows)
    (tmp_path / f"equity_{name}2.csv").write_text("timestamp,equity\nno,no\n")
    assert call("aggregate", tmp_path) == 0
    shown = capsys.readouterr()
    assert UNSAFE.findall(shown.out + shown.err) == []
    page = (tmp_path / "aggregation_report.html").read_text()
    assert "<script" not in page
    assert UNSAFE.findall(page) == []


def test_an_error_about_a_file_of_such_a_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What an error repeats is as plain as everything else."""
    path = tmp_path / BAD.replace("/", "")
    for arguments in (("-c", path, "check"), ("bars", path), ("status", path)):
        assert call(*arguments) != 0
        shown = capsys.readouterr()
        assert UNSAFE.findall(shown.out + shown.err) == []
