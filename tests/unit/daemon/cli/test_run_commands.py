"""The commands that read a run, through click: status, show, why, explain, tail."""

from __future__ import annotations

import csv
import fcntl
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from daemon.cli.main import cli
from daemon.core.market import Market, Series
from daemon.core.pace import Pace, PaceLimits
from daemon.core.status_board import StatusBoard
from daemon.core.status_inputs import RunFacts
from daemon.runtime.run_folder import DATABASE as RUN_DATABASE
from daemon.runtime.run_index import RunMissing, manifest_of, resolve
from daemon.runtime.run_views import RunViews
from state.entries import Entry
from state.errors import ConfigError, ExitCode, FoliodError, JournalError
from state.instruments import Grid
from state.ledger import apply
from state.portfolio import Portfolio
from state.queries import DATABASE
from state.reasons import REASONS
from state.units import HOUR_NS, MINUTE_NS
from tests.builders import eurusd
from tests.run_folders import T0, beginning, closing, decided, opening, two_days, write_run

NAME = "20170201T000000Z-rabc"
COMMANDS = (
    ["status"],
    ["why"],
    ["explain"],
    ["tail"],
    *(
        ["show", one]
        for one in (
            "trades", "positions", "orders", "equity", "days", "plans", "cooldowns", "runs",
            "windows",
        )
    ),
)  # fmt: skip


def make(data_dir: Path, entries: list[Entry], state: str = "complete", name: str = NAME) -> Path:
    """Write a run with all its files below ``data_dir/runs``."""
    folder = write_run(data_dir / "runs" / name, entries, state)
    portfolio = Portfolio()
    market = Market("USD", [Series(Grid(eurusd()), 5 * MINUTE_NS)])
    facts = RunFacts("replay", "files", "5m", T0, "none", global_daily_stop_r=-5.0)
    board = StatusBoard(facts, [], market, lambda position, now_ns: 0.2, Pace(PaceLimits()))
    views = RunViews(
        folder, board, portfolio, [("EURUSD", "orb")], portfolio_id="main", run_id="rabc"
    )
    for seq, entry in enumerate(entries, start=1):
        apply(portfolio, seq, entry)
        views.take(seq, entry)
        views.changed(entry.at_ns)
    views.close()
    return folder


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Return a data folder with one finished run."""
    make(tmp_path, two_days())
    return tmp_path


def call(data_dir: Path, *arguments: str) -> Result:
    """Call the program without its handling of errors, which are then in ``exception``."""
    return CliRunner().invoke(cli, ["--data-dir", str(data_dir), *arguments])


def failure(result: Result) -> FoliodError:
    """Return the expected failure that ended a command."""
    assert isinstance(result.exception, FoliodError)
    return result.exception


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_an_example(command: list[str]) -> None:
    """U2: --help shows an example."""
    result = CliRunner().invoke(cli, [*command, "--help"])
    assert result.exit_code == 0
    assert "Example" in result.output


def test_the_two_names_of_the_database_are_one() -> None:
    """Readers and writers mean the same file."""
    assert DATABASE == RUN_DATABASE


def test_status_fits_80_columns_and_says_trouble_first(data_dir: Path) -> None:
    """UX: one screen; the halt comes before the figures, with its numbers."""
    result = call(data_dir, "status")
    lines = result.output.splitlines()
    assert result.exit_code == 0
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("!! HALTED r_stop: R_STOP_REACHED -0.550 R / -0.500 R")
    for part in ("EURUSD", "100.50 USD", "against the stop -5.00", "1.052", "SPACING", "halted"):
        assert part in result.output


def test_status_check_says_no_by_its_exit_status(data_dir: Path, tmp_path: Path) -> None:
    """UX: 1 unless all is well."""
    assert call(data_dir, "status", "--check").exit_code == ExitCode.NO
    make(tmp_path / "good", beginning())
    assert call(tmp_path / "good", "status", "--check").exit_code == 0


def test_status_as_json_has_the_whole_object(data_dir: Path) -> None:
    """U1: the status object as it is in the log, with manifest, trouble and denials."""
    found = json.loads(call(data_dir, "status", "--json").output)
    assert found["ok"] is False
    assert found["status"]["schema"] == 1
    assert found["manifest"]["state"] == "complete"
    assert [one["code"] for one in found["denials"]] == ["SPACING", "OUTSIDE_WINDOW"]


def test_a_run_that_was_killed_reads_as_interrupted(tmp_path: Path) -> None:
    """U2: the manifest says running, nobody holds the lock."""
    folder = make(tmp_path, beginning(), "running")
    assert manifest_of(folder).state == "interrupted"
    result = call(tmp_path, "status", "--check")
    assert result.exit_code == ExitCode.NO
    assert result.output.startswith("!! the run is interrupted")


def test_a_run_whose_lock_is_held_is_running(tmp_path: Path) -> None:
    """S7: the kernel's lock decides, not the file's content."""
    folder = make(tmp_path, beginning(), "running")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert manifest_of(folder).state == "running"
        assert call(tmp_path, "status", "--check").exit_code == 0
    assert manifest_of(folder).state == "interrupted"


def test_status_of_a_broken_run_still_answers(data_dir: Path) -> None:
    """UX, the bad day: database, manifest and status lines damaged, and a screen all the same."""
    folder = data_dir / "runs" / NAME
    (folder / "foliod.db").write_bytes(b"nothing of ours" * 100)
    (folder / "run.json").write_bytes(b"{")
    for path in (folder / "logs").glob("*.jsonl"):
        path.write_bytes(b"{torn")
    result = call(data_dir, "status", "--check")
    assert result.exit_code == ExitCode.NO
    assert isinstance(result.exception, SystemExit)
    assert "foliod.db" in result.output
    assert "no status line" in result.output


def test_the_newest_run_is_meant_unless_one_is_named(tmp_path: Path) -> None:
    """Names begin with a UTC stamp; a run is named by its name or its folder."""
    old = make(tmp_path, beginning(), name="20160101T000000Z-rold")
    new = make(tmp_path, two_days())
    assert resolve(tmp_path, None) == new
    assert resolve(tmp_path, old.name) == old
    assert resolve(tmp_path, str(old)) == old
    assert old.name in call(tmp_path, "status", old.name).output
    assert old.name in call(tmp_path, "status", str(old)).output


def test_the_newest_run_of_a_named_portfolio_is_meant(tmp_path: Path) -> None:
    """Portfolios may share a data folder; --portfolio and -c ask about one of them."""
    own = make(tmp_path, two_days())
    other = make(tmp_path, beginning(), name="20180101T000000Z-rnew")
    path = other / "run.json"
    path.write_text(path.read_text().replace('"main"', '"other"'))
    (tmp_path / "c.toml").write_text('[portfolio]\nid = "main"\ndata_dir = "."\n')
    config = ["-c", str(tmp_path / "c.toml")]
    assert resolve(tmp_path, None) == other
    assert own.name in CliRunner().invoke(cli, [*config, "status"]).output
    asked = CliRunner().invoke(cli, [*config, "--portfolio", "other", "status"])
    assert other.name in asked.output
    with pytest.raises(RunMissing, match=r"'third' has no run among the 2.*of main, other"):
        resolve(tmp_path, None, "third")


def test_a_filter_that_is_no_name_is_told_the_names(data_dir: Path) -> None:
    """An empty table may be a typing mistake: stderr says which names there are, stdout none."""
    engine = {
        **{"symbol": "EURUSD", "strategy": "orb", "kind": "ORB", "interval": "5m"},
        **{"params_set": "default", "params": {}, "windows": [], "spread_pips": 1.0},
        **{"active": False, "next_open": None, "next_close": None, "quarantined": False},
    }
    path = sorted((data_dir / "runs" / NAME / "logs").glob("portfolio_live_*"))[-1]
    last = json.loads(path.read_text().splitlines()[-1])
    path.write_text(json.dumps({**last, "engines": [engine]}) + "\n")
    result = call(data_dir, "show", "trades", "--symbol", "EURUSX")
    assert result.stdout == "none\n"
    assert "no symbol 'EURUSX'; it has EURUSD" in result.stderr


def test_an_unknown_run_is_refused_with_the_nearest_name(data_dir: Path) -> None:
    """UX: where, what was given, what there is, what to do."""
    error = failure(call(data_dir, "status", "20170201T000000Z-rabd"))
    assert isinstance(error, RunMissing)
    assert error.exit_code == ExitCode.USAGE
    assert NAME in str(error)


def test_without_a_run_the_next_step_is_said(tmp_path: Path) -> None:
    """First ten minutes: what to type."""
    assert "foliod replay" in str(failure(call(tmp_path, "status")))


def test_a_configuration_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """Exit 78, never a traceback."""
    result = CliRunner().invoke(cli, ["-c", str(tmp_path / "none.toml"), "status"])
    assert isinstance(result.exception, ConfigError)


def test_show_trades_in_three_forms(data_dir: Path) -> None:
    """U2: text, CSV, JSON; filters in any letter case."""
    text = call(data_dir, "show", "trades").output.splitlines()
    assert len(text) == 3
    assert text[0].split()[:3] == ["exit_at", "symbol", "strategy"]
    found = list(csv.DictReader(io.StringIO(call(data_dir, "show", "trades", "--csv").output)))
    assert [row["trade_id"] for row in found] == ["t1", "t2"]
    rows = json.loads(call(data_dir, "show", "trades", "--strategy", "LSG", "--json").output)
    assert [(row["trade_id"], row["pnl"]) for row in rows] == [("t2", "-0.55")]
    since = call(data_dir, "show", "trades", "--since", "2017-01-06", "--json").output
    assert [row["trade_id"] for row in json.loads(since)] == ["t2"]
    assert json.loads(call(data_dir, "--json", "show", "trades", "--limit", "1").output)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("positions", [("symbol", "EURUSD"), ("stop", "1.05100"), ("trade_id", "t3")]),
        ("plans", [("stop", "1.05100"), ("target", "1.05300"), ("risk", "1.00")]),
        ("orders", [("intent_id", "t1"), ("state", "FILLED")]),
        ("equity", [("equity", "100.90")]),
        ("days", [("day", "2017-01-05"), ("net", "0.90")]),
        ("runs", [("run", NAME), ("state", "complete")]),
        ("cooldowns", [("name", "EURUSD"), ("until", "2017-01-06 11:00:00+00:00")]),
    ],
)
def test_every_table_shows_its_rows(
    tmp_path: Path, table: str, expected: list[tuple[str, str]]
) -> None:
    """U2: one verb per table; cooldowns are those of the last status line."""
    entries = two_days()
    if table == "cooldowns":
        entries = entries[: [type(one).__name__ for one in entries].index("HaltSet") + 1]
    make(tmp_path, entries)
    rows = json.loads(call(tmp_path, "show", table, "--json").output)
    assert expected == [(key, rows[0][key]) for key, _ in expected]
    assert call(tmp_path, "show", table).exit_code == 0


def test_an_empty_run_has_empty_tables(tmp_path: Path) -> None:
    """No rows: a word for people, a head in CSV, an empty list in JSON."""
    make(tmp_path, beginning())
    assert call(tmp_path, "show", "trades").output == "none\n"
    assert call(tmp_path, "show", "trades", "--csv").output.startswith("exit_at,symbol")
    assert json.loads(call(tmp_path, "show", "plans", "--json").output) == []


def test_a_time_that_is_none_is_refused_with_examples(data_dir: Path) -> None:
    """Exit 2; a time without a zone is UTC, with one it is converted."""
    result = call(data_dir, "show", "trades", "--since", "yesterday")
    assert result.exit_code == 2
    assert "2017-01-05T09:30" in result.output
    at = "2017-01-05T10:00:01+01:00"  # one second after t1 closed
    rows = json.loads(call(data_dir, "show", "trades", "--since", at, "--json").output)
    assert [row["trade_id"] for row in rows] == ["t2"]


def test_why_shows_every_gate_and_what_to_do(data_dir: Path) -> None:
    """R7: outcome, observed and limit of each gate; the denial's meaning and remedy."""
    result = call(data_dir, "why", "ORB", "eurusd", "--at", "2017-01-05T10:00")
    assert result.exit_code == 0
    assert "outcome: OUTSIDE_WINDOW" in result.output
    rows = [line.split()[:3] for line in result.output.splitlines() if line[:3] in ("yes", "NO ")]
    assert rows == [
        ["yes", "kill", "KILL_OK"],
        ["NO", "window", "OUTSIDE_WINDOW"],
        ["yes", "spacing", "SPACING_OK"],
    ]
    assert REASONS["OUTSIDE_WINDOW"].remedy in result.output


def test_why_takes_the_last_decision_before_an_instant(data_dir: Path) -> None:
    """U2: --at between two decisions shows the earlier one and says so."""
    result = call(data_dir, "why", "lsg", "EURUSD", "--at", "2017-01-06T09:30:00Z")
    assert "ACCEPTED" in result.output
    assert "nothing was asked at 2017-01-06T09:30:00Z" in result.output
    found = json.loads(call(data_dir, "why", "lsg", "EURUSD", "--json").output)
    assert found["outcome"] == "SPACING"
    assert found["verdicts"][2]["allowed"] is False


def test_why_of_an_engine_that_never_asked_names_those_that_did(data_dir: Path) -> None:
    """UX: the nearest known name, exit 1."""
    error = failure(call(data_dir, "why", "orv", "EURUSD"))
    assert error.exit_code == ExitCode.NO
    assert "did you mean: foliod why orb EURUSD" in str(error)
    assert "lsg EURUSD" in str(failure(call(data_dir, "why", "zzzz", "XXXXXX")))


def test_a_missing_database_is_said(data_dir: Path) -> None:
    """Exit 74: the journal cannot be read."""
    (data_dir / "runs" / NAME / "foliod.db").unlink()
    error = failure(call(data_dir, "show", "trades"))
    assert isinstance(error, JournalError)
    assert "foliod.db" in str(error)


@pytest.mark.parametrize("code", sorted(REASONS))
def test_every_code_is_explained(code: str) -> None:
    """R7: meaning and remedy, within 80 columns, in any letter case."""
    result = CliRunner().invoke(cli, ["explain", code.lower()])
    assert result.exit_code == 0
    assert result.output.startswith(code + "\n")
    assert "What to do" in result.output
    assert max(map(len, result.output.splitlines())) <= 80


def test_an_unknown_code_gets_the_nearest_one() -> None:
    """UX: the nearest known name."""
    result = CliRunner().invoke(cli, ["explain", "OUTSIDE_WINDOWS"])
    assert result.exit_code == 2
    assert "did you mean OUTSIDE_WINDOW" in result.output


def test_explain_lists_all_codes() -> None:
    """Without an argument: every code."""
    output = CliRunner().invoke(cli, ["explain"]).output
    assert all(code in output for code in REASONS)
    found = json.loads(CliRunner().invoke(cli, ["explain", "--json"]).output)
    assert [one["code"] for one in found] == list(REASONS)


def test_tail_shows_both_kinds_of_lines_in_order(data_dir: Path) -> None:
    """U2: events and status lines by instant, the last n over all files."""
    result = call(data_dir, "tail", "-n", "100")
    lines = result.output.splitlines()
    assert [line[:19] for line in lines] == sorted(line[:19] for line in lines)
    assert any("DENIED by window: OUTSIDE_WINDOW 1 / 2" in line for line in lines)
    assert any(
        "Filled EURUSD/orb target short 1000 at 1.05100 pnl 1.00 TP" in line for line in lines
    )
    assert call(data_dir, "tail", "-n", "3").output.splitlines() == lines[-3:]
    assert call(data_dir, "tail", "-n", "0").output == ""
    raw = call(data_dir, "tail", "-n", "2", "--json").output.splitlines()
    assert all(json.loads(line) for line in raw)


def test_tail_f_ends_when_the_run_has(data_dir: Path) -> None:
    """A run that is over says nothing more: tail -f ends and says why."""
    result = call(data_dir, "tail", "-f", "-n", "1")
    assert result.exit_code == 0
    assert "the run is complete" in result.stderr


def test_a_line_that_is_no_json_is_shown_as_it_is(data_dir: Path) -> None:
    """A damaged line costs itself only, and no escape gets out of it."""
    path = data_dir / "runs" / NAME / "logs" / "events-20170106.jsonl"
    with path.open("ab") as file:
        file.write(b"\x1b[2Jbroken\n[1]\n")
    output = call(data_dir, "tail", "-n", "100").output
    assert "? \\x1b[2Jbroken" in output


def test_no_name_sends_a_terminal_escape(tmp_path: Path) -> None:
    """X2: whatever a strategy is called, the terminal gets plain characters."""
    name = "=x\x1b]0;pwned\x07\u202e|\r\n"
    entries: list[Entry] = [
        *beginning(),
        *opening("t1", T0, name, 1, 105_000),
        *closing("t1", T0 + HOUR_NS, name, 1, 105_100, "1.00", "target"),
        *opening("t2", T0 + 2 * HOUR_NS, name, 1, 105_000),
        decided(T0 + 3 * HOUR_NS, name, gate="window", code="OUTSIDE_WINDOW"),
    ]
    make(tmp_path, entries)
    for arguments in (
        ["status"], ["show", "trades"], ["show", "trades", "--csv"], ["show", "positions"],
        ["show", "plans"], ["show", "orders"], ["why", name, "EURUSD"], ["tail", "-n", "99"],
    ):  # fmt: skip
        result = call(tmp_path, *arguments)
        assert result.exit_code == 0, arguments
        assert not set("\x1b\x07\u202e") & set(result.output), arguments
    (row,) = csv.DictReader(io.StringIO(call(tmp_path, "show", "trades", "--csv").output))
    assert row["strategy"].startswith("'=x")
    assert "\x1b" not in str(failure(call(tmp_path, "why", "other", "EURUSD")))
