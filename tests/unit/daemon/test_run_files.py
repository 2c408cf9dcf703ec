"""The files of a run beside its journal: dated lines, events, trades.csv, equity curves."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pytest

from daemon.core.market import Market, Series
from daemon.core.pace import Pace, PaceLimits
from daemon.core.status import StatusObject
from daemon.core.status_board import StatusBoard
from daemon.core.status_inputs import RunFacts
from daemon.runtime.dated_lines import DatedLines, cut_torn_line
from daemon.runtime.equity_file import engine_file
from daemon.runtime.events_file import EventsFile
from daemon.runtime.run_views import RunViews
from daemon.runtime.status_file import StatusFile
from daemon.runtime.status_lines import Follower, last_lines, last_status
from daemon.runtime.trade_log import COLUMNS, ClosedTrades, TradeLog, safe_text
from state.entries import Entry, HaltSet, HealthJudged
from state.instruments import Grid
from state.ledger import apply
from state.portfolio import Portfolio
from state.units import DAY_NS, HOUR_NS, MINUTE_NS
from tests.builders import eurusd
from tests.run_folders import DAY_ONE, T0, beginning, closing, opening, two_days


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Read a file of JSON lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lines_go_to_the_file_of_their_utc_day(tmp_path: Path) -> None:
    """U1: the date is that of the run's clock; the next day begins at 00:00 UTC."""
    lines = DatedLines(tmp_path / "logs", "x_")
    lines.write(T0 + DAY_NS - 1, b"1")
    lines.write(T0 + DAY_NS, b"2")
    lines.write(T0 + DAY_NS + 5, b"3")
    lines.close()
    assert (tmp_path / "logs/x_20170105.jsonl").read_bytes() == b"1\n"
    assert (tmp_path / "logs/x_20170106.jsonl").read_bytes() == b"2\n3\n"


def test_lines_wait_for_flush(tmp_path: Path) -> None:
    """Durable first: nothing is in the file before the runner says so."""
    lines = DatedLines(tmp_path, "x_")
    lines.write(T0, b"1")
    path = tmp_path / "x_20170105.jsonl"
    assert path.read_bytes() == b""
    lines.flush()
    assert path.read_bytes() == b"1\n"
    lines.close()
    lines.close()


@pytest.mark.parametrize(
    ("before", "after", "cut"),
    [
        (b"", b"", 0),
        (b"1\n", b"1\n", 0),
        (b"1\n{torn", b"1\n", 5),
        (b"torn", b"", 4),
        (b"1\n" + b"x" * 200_000, b"1\n", 200_000),
    ],
)
def test_a_torn_last_line_is_cut(tmp_path: Path, before: bytes, after: bytes, cut: int) -> None:
    """DUR-2: the tail that a crash tore is removed, whole lines stay."""
    path = tmp_path / "x"
    path.write_bytes(before)
    assert cut_torn_line(path) == cut
    assert path.read_bytes() == after


def test_an_opened_file_is_repaired_and_says_so(tmp_path: Path) -> None:
    """DUR-2: a second run appends after the last whole line."""
    (tmp_path / "x_20170105.jsonl").write_bytes(b"1\n{tor")
    lines = DatedLines(tmp_path, "x_")
    lines.write(T0, b"2")
    lines.close()
    assert (tmp_path / "x_20170105.jsonl").read_bytes() == b"1\n2\n"
    assert lines.repaired == ["x_20170105.jsonl: cut 4 bytes of a torn last line"]


def test_what_a_full_disk_tore_is_cut_before_the_next_line(tmp_path: Path) -> None:
    """DUR-2: with room again the file has whole lines only, before and after the torn one."""
    lines = DatedLines(tmp_path, "x_")
    lines.write(T0, b"first")
    lines.flush()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        lines.write(T0 + 1, b"second, which does not fit")
        with pytest.raises(OSError, match="File too large"):
            lines.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    torn = (tmp_path / "x_20170105.jsonl").read_bytes()

    lines.write(T0 + 2, b"third")
    lines.close()

    assert torn == b"first\nseco"
    assert (tmp_path / "x_20170105.jsonl").read_bytes() == b"first\nthird\n"
    assert lines.repaired == ["x_20170105.jsonl: cut 4 bytes of a torn last line"]


def test_a_full_disk_makes_no_line_look_young(tmp_path: Path) -> None:
    """U1: a file's age is that of its last whole line, whatever is torn off it and cut again."""
    path = tmp_path / "x_20170105.jsonl"
    lines = DatedLines(tmp_path, "x_")
    lines.write(T0, b"first")
    lines.flush()
    os.utime(path, ns=(HOUR_NS, HOUR_NS))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    ages = []
    try:
        for later in (1, 2):  # the second one cuts what the first one tore
            lines.write(T0 + later, b"second, which does not fit")
            with pytest.raises(OSError, match="File too large"):
                lines.flush()
            ages.append(path.stat().st_mtime_ns)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    lines.write(T0 + 3, b"third")
    lines.close()

    assert ages == [HOUR_NS, HOUR_NS]
    assert path.stat().st_mtime_ns > HOUR_NS


def test_a_status_is_due_after_the_silence_allowed(tmp_path: Path) -> None:
    """U1: at least every so often by the run's clock."""
    status = StatusFile(tmp_path, HOUR_NS)
    assert status.due_ns == 0
    status.write(T0, b"{}")
    assert status.due_ns == T0 + HOUR_NS
    status.close()


def test_blocks_frame_each_object(tmp_path: Path) -> None:
    """UX: the two marker lines around each object, exactly."""
    stream = io.BytesIO()
    status = StatusFile(tmp_path, HOUR_NS, stream)
    status.write(T0, b'{"a":1}')
    status.close()
    assert stream.getvalue() == (b'###BEGIN-AXFL-LIVE-PORT###\n{"a":1}\n###END-AXFL-LIVE-PORT###\n')


def events(folder: Path, entries: list[Entry]) -> list[dict[str, Any]]:
    """Write the events of some entries and read them back."""
    file = EventsFile(folder, "main", "rabc")
    for seq, entry in enumerate(entries, start=1):
        file.take(seq, entry)
    file.close()
    return [line for path in sorted(folder.glob("events-*")) for line in lines_of(path)]


def test_events_hold_the_news_of_the_journal(tmp_path: Path) -> None:
    """U1: decisions, orders, fills, halts, refused bars, rolled days; seq and run on each."""
    found = events(tmp_path, two_days())
    kinds = {line["kind"] for line in found}
    assert {"Decided", "OrderChanged", "Filled", "HaltSet", "BarsRefused", "DayRolled"} <= kinds
    assert "EquityMarked" not in kinds
    assert [line["seq"] for line in found] == sorted(line["seq"] for line in found)
    assert {(line["portfolio_id"], line["run_id"]) for line in found} == {("main", "rabc")}


def test_a_fill_is_written_in_prices_and_quantities(tmp_path: Path) -> None:
    """People read prices, not ticks: 105100 ticks of 0.00001 are 1.05100."""
    found = [line for line in events(tmp_path, two_days()) if line["kind"] == "Filled"][1]
    assert (found["fill"], found["quantity"], found["leg"]) == ("1.05100", "1000", "target")
    assert (found["pnl"], found["fee"], found["day"]) == ("1.00", "0.05", "2017-01-05")
    assert (found["ts"], found["side"]) == ("2017-01-05T09:00:00Z", "short")


def test_a_judgement_is_written_with_its_day(tmp_path: Path) -> None:
    """A4: what the health gate said stands in the events, its day as a date."""
    judged = HealthJudged(T0, DAY_ONE, 20, -1.5, 0.1, ("Sharpe ...",), "alert")
    (line,) = events(tmp_path, [judged])
    assert (line["kind"], line["day"], line["days"]) == ("HealthJudged", "2017-01-05", 20)
    assert (line["sharpe"], line["problems"]) == (-1.5, ["Sharpe ..."])


def test_a_decision_keeps_every_verdict(tmp_path: Path) -> None:
    """R7: gate, allowed, code, observed, limit of each, in the order asked."""
    found = [line for line in events(tmp_path, two_days()) if line["kind"] == "Decided"][1]
    assert found["outcome"] == "OUTSIDE_WINDOW"
    assert [verdict[:3] for verdict in found["verdicts"]] == [
        ["kill", True, "KILL_OK"],
        ["window", False, "OUTSIDE_WINDOW"],
        ["spacing", True, "SPACING_OK"],
    ]


def log(path: Path, entries: list[Entry]) -> list[dict[str, str]]:
    """Write the trades of some entries and read the CSV back."""
    found, file = ClosedTrades(), TradeLog(path)
    for seq, entry in enumerate(entries, start=1):
        found.take(seq, entry)
        file.add(found.closed())
    file.close()
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode())))


def test_trades_csv_has_the_columns_of_t1(tmp_path: Path) -> None:
    """T1: exactly these columns, in this order."""
    log(tmp_path / "trades.csv", [])
    assert (tmp_path / "trades.csv").read_bytes() == (
        b"trade_id,portfolio_id,run_id,version,symbol,strategy,side,quantity,trading_day,signal_at,"
        b"entry_at,entry_price,entry_fill,stop,target,exit_at,exit_price,exit_fill,exit_reason,"
        b"fees,slippage,pnl,r\r\n"
    )


def test_entry_and_exit_are_matched_in_one_row(tmp_path: Path) -> None:
    """T1: 1.00 gross - 2 x 0.05 fees = 0.90 = 0.9 R; slippage 2 x 0.02; open trades are not in."""
    first, second = log(tmp_path / "trades.csv", two_days())
    assert first == {
        "trade_id": "t1", "portfolio_id": "main", "run_id": "rabc", "version": "0.1.0",
        "symbol": "EURUSD", "strategy": "orb", "side": "long", "quantity": "1000",
        "trading_day": "2017-01-05", "signal_at": "2017-01-05T08:00:00Z",
        "entry_at": "2017-01-05T08:00:00Z", "entry_price": "1.05", "entry_fill": "1.05000",
        "stop": "1.04900", "target": "1.05100", "exit_at": "2017-01-05T09:00:00Z",
        "exit_price": "1.051", "exit_fill": "1.05100", "exit_reason": "TP", "fees": "0.10",
        "slippage": "0.04", "pnl": "0.90", "r": "0.9",
    }  # fmt: skip
    assert (second["side"], second["exit_reason"], second["pnl"]) == ("short", "SL", "-0.55")
    assert tuple(first) == COLUMNS


def test_a_spreadsheet_takes_no_name_for_a_formula(tmp_path: Path) -> None:
    """X2: text cells that begin like a formula get an apostrophe; negative numbers do not."""
    name = '=HYPERLINK("http://x","y")'
    entries = [
        *beginning("@main"),
        *opening("t1", T0, name, 1, 105_000),
        *closing("t1", T0 + HOUR_NS, name, 1, 104_900, "-1.00", "stop"),
    ]
    (row,) = log(tmp_path / "trades.csv", entries)
    assert (row["strategy"], row["portfolio_id"]) == ("'" + name, "'@main")
    assert row["pnl"] == "-1.10"
    assert [safe_text(one) for one in ("+1", "-1", "\ttab", "a\nb")] == [
        "'+1", "'-1", "'\\x09tab", "a\\x0ab",
    ]  # fmt: skip


def test_trades_are_appended_after_a_torn_row(tmp_path: Path) -> None:
    """T1: a crash in the middle of a row loses that row only, and it is said."""
    path = tmp_path / "trades.csv"
    log(path, two_days()[:11])
    whole = path.read_bytes()
    path.write_bytes(whole + b"t9,main,ra")
    file = TradeLog(path)
    file.close()
    assert path.read_bytes() == whole
    assert file.repaired == ["trades.csv: cut 10 bytes of a torn last row"]


@pytest.mark.parametrize("pair", [("XRP/USDT:USDT", "a"), ("../../etc", "b"), ("A", "B_C")])
def test_engine_files_stay_in_their_folder(pair: tuple[str, str]) -> None:
    """X2: a symbol is a name from outside; it names one file and never a folder."""
    assert "/" not in engine_file(*pair)
    assert engine_file("A_B", "C") != engine_file("A", "B_C")


def views(folder: Path, blocks: BinaryIO | None = None) -> tuple[RunViews, Portfolio]:
    """Make the views of a run with the engines orb and lsg."""
    portfolio = Portfolio()
    market = Market("USD", [Series(Grid(eurusd()), 5 * MINUTE_NS)])
    facts = RunFacts("replay", "files", "5m", T0, "none")
    board = StatusBoard(facts, [], market, lambda position, now_ns: 0.0, Pace(PaceLimits()))
    engines = [("EURUSD", "orb"), ("EURUSD", "lsg")]
    return RunViews(
        folder, board, portfolio, engines, portfolio_id="main", run_id="rabc", blocks=blocks
    ), portfolio


def play(of: RunViews, portfolio: Portfolio) -> None:
    """Feed the two days, flushing after each entry."""
    for seq, entry in enumerate(two_days(), start=1):
        apply(portfolio, seq, entry)
        of.take(seq, entry)
        of.changed(entry.at_ns)
        of.flush()
    of.tell(two_days()[-1].at_ns)
    of.close()


def test_views_write_every_file_of_the_run(tmp_path: Path) -> None:
    """V1: status, events, trades and equity curves come out of one stream of entries."""
    play(*views(tmp_path))
    found = last_status(tmp_path)
    assert found is not None
    assert (found.seq, found.feed.refused) == (len(two_days()), 3)
    assert len((tmp_path / "trades.csv").read_text().splitlines()) == 3
    # Each engine begins with half of 100; orb wins 0.90 at 09:00, lsg loses 0.55 the day after.
    assert (tmp_path / "equity_EURUSD_orb.csv").read_text() == (
        "timestamp,equity\n2017-01-05T00:00:00Z,50.00000000\n2017-01-05T09:00:00Z,50.90000000\n"
    )
    assert (tmp_path / "equity_EURUSD_lsg.csv").read_text().endswith("09:00:00Z,49.45000000\n")
    assert (tmp_path / "equity_portfolio.csv").read_text() == (
        "timestamp,equity\n2017-01-05T00:00:00Z,100\n2017-01-05T11:00:00Z,100.90\n"
        "2017-01-06T13:00:00Z,100.50\n"
    )


def test_the_next_line_is_due_at_an_edge_or_after_silence(tmp_path: Path) -> None:
    """U1: whichever comes first; without windows it is the silence."""
    of, portfolio = views(tmp_path)
    apply(portfolio, 1, two_days()[0])
    assert of.changed(T0) == of.due_ns == T0 + HOUR_NS
    of.close()


def test_a_file_that_cannot_be_written_stops_nothing_and_is_an_alert(tmp_path: Path) -> None:
    """T1: the other files go on, the alarm sounds in the status."""
    (tmp_path / "equity_portfolio.csv").mkdir()
    stream = io.BytesIO()
    of, portfolio = views(tmp_path, blocks=stream)
    play(of, portfolio)
    assert list(of.alerts) == ["equity"]
    last = stream.getvalue().split(b"\n")[-3]
    found = msgspec.json.decode(last, type=StatusObject)
    assert [one.code for one in found.alerts] == ["FILE_UNWRITABLE"]
    assert found.ok is False
    assert len((tmp_path / "trades.csv").read_text().splitlines()) == 3


def test_a_full_disk_stops_nothing_and_is_an_alert(tmp_path: Path) -> None:
    """A log that takes no byte sounds the alarm, also at the end; the trade log goes on."""
    (tmp_path / "logs").mkdir()
    for day in ("20170105", "20170106"):
        (tmp_path / "logs" / f"events-{day}.jsonl").symlink_to("/dev/full")
    of, portfolio = views(tmp_path)
    play(of, portfolio)
    assert "No space left" in of.alerts["events"]
    assert len((tmp_path / "trades.csv").read_text().splitlines()) == 3


def test_last_lines_cross_files_and_leave_out_a_torn_one(tmp_path: Path) -> None:
    """U2: the newest lines over rotation, whole ones only."""
    (tmp_path / "x_20170105.jsonl").write_bytes(b"1\n2\n3\n")
    (tmp_path / "x_20170106.jsonl").write_bytes(b"4\n{tor")
    assert last_lines(tmp_path, "x_", 3) == [b"2", b"3", b"4"]
    assert last_lines(tmp_path, "x_", 0) == []
    assert last_lines(tmp_path, "x_", 99) == [b"1", b"2", b"3", b"4"]
    assert last_lines(tmp_path / "none", "x_", 3) == []


def test_long_files_are_read_from_their_end(tmp_path: Path) -> None:
    """A line longer than one read is whole all the same."""
    long = b"y" * 300_000
    (tmp_path / "x_20170105.jsonl").write_bytes(b"1\n" + long + b"\n2\n")
    assert last_lines(tmp_path, "x_", 2) == [long, b"2"]


def test_a_follower_goes_from_file_to_file(tmp_path: Path) -> None:
    """U2: tail -f sees what is appended, also in the next day's file, and no half lines."""
    first, second = tmp_path / "x_20170105.jsonl", tmp_path / "x_20170106.jsonl"
    first.write_bytes(b"old\n")
    follower = Follower(tmp_path, "x_")
    assert follower.lines() == []
    with first.open("ab") as file:
        file.write(b"a\nhal")
    assert follower.lines() == [b"a"]
    with first.open("ab") as file:
        file.write(b"f\n")
    second.write_bytes(b"b\n")
    assert follower.lines() == [b"half", b"b"]
    assert follower.lines() == []


def test_a_follower_is_not_thrown_by_a_torn_line(tmp_path: Path) -> None:
    """U2: begun at a torn line, which a restart then cuts: the next line comes whole, and once."""
    path = tmp_path / "x_20170105.jsonl"
    path.write_bytes(b"old\n" + b"t" * 100_000)
    follower = Follower(tmp_path, "x_")
    assert follower.lines() == []
    cut_torn_line(path)
    assert follower.lines() == []
    with path.open("ab") as file:
        file.write(b"n" * 200_000 + b"\nnext\n")
    assert follower.lines() == [b"n" * 200_000, b"next"]

    writing = Follower(tmp_path, "x_")
    with path.open("ab") as file:
        file.write(b'{"half')
    late = Follower(tmp_path, "x_")
    with path.open("ab") as file:
        file.write(b'":1}\n')
    assert writing.lines() == late.lines() == [b'{"half":1}']


def test_a_line_is_written_when_the_state_changes_and_not_for_each_entry(tmp_path: Path) -> None:
    """U1: a halt is told at once; entries that leave the state as it is wait for the hour."""
    of, portfolio = views(tmp_path)
    entries = two_days()
    for seq, entry in enumerate(entries, start=1):
        apply(portfolio, seq, entry)
        of.changed(T0)
        of.changed(T0)
    halt = HaltSet(T0, "operator", "HALTED", "by hand", "halt", "no halt")
    apply(portfolio, len(entries) + 1, halt)
    of.changed(T0 + 1)
    of.close()
    lines = [
        json.loads(line)
        for path in sorted((tmp_path / "logs").glob("portfolio_live_*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    states = [(line["state"], [one["name"] for one in line["risk"]["halts"]]) for line in lines]
    assert len(states) < len(entries)
    assert all(one != other for one, other in pairwise(states))
    assert states[-1][0] == "halted" and "operator" in states[-1][1]
