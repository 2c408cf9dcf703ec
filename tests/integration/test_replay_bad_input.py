"""Bad input, bad strategies and bad luck through the command line (F5, E1, U6, DUR-1, CFG-1).

Each ends with the documented exit status and clear words, never with a traceback, and nothing that
is half done reads as whole afterwards.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.main import main
from daemon.runtime.run_index import manifest_of
from state.entries import BarsRefused, DayRolled, EngineQuarantined, Entry, Filled, RunEnded
from state.journal import read
from state.lock import PortfolioLock, this_process
from state.units import DAY_NS, EPOCH_ORDINAL, MINUTE_NS, utc_text
from state.verify_fold import check
from tests.builders import ROOT

M5 = 5 * MINUTE_NS
MONDAY_NS = (738_893 - EPOCH_ORDINAL) * DAY_NS
"""2024-01-08 00:00 UTC, a Monday."""

CONFIG = """
[portfolio]
id = "bad"
base_currency = "USD"
equity = 100_000
data_dir = "var"
[[bars]]
symbol = "EURUSD"
path = "bars.csv"
price = "mid"
[sizing]
kind = "fixed"
quantity = 1000
[risk]
daily_r_stop = false
[risk.strategy]
trades_per_day = false
r_stop = false
[risk.caps]
max_order_value = 1_000_000
max_gross_exposure = 1_000_000
max_positions = 9
max_positions_per_symbol = 9
[pacing]
enabled = false
"""

STRATEGY = """
import os
import signal

from foliod import Exit, Signal, Strategy


class Counting(Strategy):
    \"\"\"Counts bars and does at one of them what the test wants.\"\"\"

    count = 0

    def on_bar(self, bar, in_window):
        self.count += 1
        {body}
        return None

    def state(self):
        return {{"count": self.count}}

    def restore(self, state):
        self.count = state["count"]
"""

BUY = "Signal(1, stop=bar.close - 0.0050, target_r=1.0)"


def _rows(days: int, *, fall_at: int = -1) -> list[str]:
    """Make quiet 5m bars around 1.1 for some days; from bar ``fall_at`` on 100 pips lower."""
    rows = []
    for number in range(days * 288):
        at = utc_text(MONDAY_NS + number * M5)
        level = 110_000 + 7 * (number % 5) - (1_000 if 0 <= fall_at <= number else 0)
        prices = (level, level + 12, level - 12, level + 7)
        rows.append(",".join([at, *(f"{price / 100_000:.5f}" for price in prices), "1"]))
    return rows


def _strategy(name: str, kind: str) -> str:
    return f'[[strategies]]\nname = "{name}"\nkind = "{kind}"\nsymbols = ["EURUSD"]\n'


def _user_strategy(folder: Path, name: str, body: str) -> str:
    (folder / f"{name}.py").write_text(STRATEGY.format(body=body))
    return _strategy(name, f"{name}.py:Counting")


class Desk:
    """A folder with a configuration and bars, and the program run on it."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """Write the plain configuration: one strategy, three days of bars."""
        self.folder = folder
        self._capfd = capfd
        self.out = self.err = ""
        self.write(_rows(3))
        self.configure(_strategy("ema", "EMA"))

    def write(self, rows: list[str], header: str = "ts,open,high,low,close,volume") -> None:
        """Write the bar file."""
        (self.folder / "bars.csv").write_text("\n".join([header, *rows]) + "\n")

    def configure(self, strategies: str, config: str = CONFIG) -> None:
        """Write the configuration."""
        (self.folder / "foliod.toml").write_text(config + strategies)

    def replay(self, *arguments: str) -> int:
        """Replay in this process; keep what it said; a traceback is never an answer."""
        config = str(self.folder / "foliod.toml")
        with pytest.raises(SystemExit) as ended:
            main(["-c", config, "--no-color", "replay", *arguments])
        status = int(ended.value.code or 0)
        self.out, self.err = self._capfd.readouterr()
        assert "Traceback" not in self.out + self.err
        return status

    def process(self, limit: Callable[[], None] | None = None) -> int:
        """Replay in a process of its own; keep what it said."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "daemon.cli.main", "-c", "foliod.toml", "replay"],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            preexec_fn=limit,
        )
        self.out, self.err = done.stdout, done.stderr
        assert "Traceback" not in self.out + self.err
        return done.returncode

    def runs(self) -> list[Path]:
        """Return the run folders, oldest first."""
        return sorted((self.folder / "var" / "runs").glob("*"))

    def entries(self) -> list[Entry]:
        """Return the journal of the last run."""
        return [entry for _, entry in read(self.runs()[-1] / "foliod.db")]


@pytest.fixture
def desk(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    """Make a desk in a folder of its own."""
    yield Desk(tmp_path, capfd)


# Bar files --------------------------------------------------------------------------------------


def test_a_broken_row_is_counted_and_said(desk: Desk) -> None:
    """The row stays out; summary and journal name its reason, its count and its line."""
    rows = _rows(3)
    rows[10] = rows[10].replace(rows[10].split(",")[2], "1.00000")
    desk.write(rows)

    assert desk.replay() == 0

    refused = [entry for entry in desk.entries() if isinstance(entry, BarsRefused)]
    assert [(one.symbol, one.reason, one.count) for one in refused] == [
        ("EURUSD", "HIGH_TOO_LOW", 1)
    ]
    assert "line 12" in refused[0].first
    line = next(line for line in desk.out.splitlines() if "Refused bars" in line)
    assert "1" in line.split("Refused bars")[1]


def test_nan_and_1e999_never_reach_a_strategy(desk: Desk) -> None:
    """Numbers that are none, or not finite, are refused rows, each with its reason."""
    rows = _rows(3)
    for number, text in ((20, "nan"), (30, "1e999"), (40, "-1.1"), (50, "x")):
        cells = rows[number].split(",")
        rows[number] = ",".join([cells[0], text, *cells[2:]])
    desk.write(rows)

    assert desk.replay() == 0

    refused = [entry for entry in desk.entries() if isinstance(entry, BarsRefused)]
    assert sum(entry.count for entry in refused) == 4
    assert {"NOT_FINITE", "UNREADABLE_NUMBER"} <= {entry.reason for entry in refused}
    assert "nan" not in (desk.runs()[-1] / "equity_portfolio.csv").read_text()


FILES: dict[str, tuple[str | None, Any, str]] = {
    "a wrong column": ("ts,open,high,low,last,volume", None, "close"),
    "an ambiguous zone": (None, lambda row: row.replace("Z,", ",", 1), "zone"),
    "an empty file": ("", [], "empty"),
    "a header alone": (None, [], ""),
}


@pytest.mark.parametrize("what", FILES)
def test_a_file_that_leaves_something_to_guess_is_refused(desk: Desk, what: str) -> None:
    """Exit status 65, the file and what is missing named, and no run left behind."""
    header, change, word = FILES[what]
    rows = _rows(1)
    if isinstance(change, list):
        rows = change
    elif callable(change):
        rows = [change(row) for row in rows]
    desk.write(rows, "ts,open,high,low,close,volume" if header is None else header)
    if header == "":
        (desk.folder / "bars.csv").write_bytes(b"")

    assert desk.replay() == 65

    assert "bars.csv" in desk.err
    assert word in desk.err
    assert desk.runs() == []


def test_a_file_that_goes_back_in_time_stops_the_run(desk: Desk) -> None:
    """Exit status 65; the days before stay, and the run reads as failed."""
    rows = _rows(3)
    rows[700], rows[400] = rows[400], rows[700]
    desk.write(rows)

    assert desk.replay() == 65

    assert "bars.csv" in desk.err
    for folder in desk.runs():
        assert manifest_of(folder).state == "failed"
        assert not (folder / "summary.json").exists()


def test_an_unknown_dialect_names_the_known_ones(desk: Desk) -> None:
    """Exit status 78, with what was given and what is allowed."""
    text = CONFIG.replace('price = "mid"', 'price = "mid"\ndialect = "metastock"')
    desk.configure(_strategy("ema", "EMA"), text)

    assert desk.replay() == 78

    for word in ("dialect", "metastock", "histdata", "mt5"):
        assert word in desk.err


# Configuration ----------------------------------------------------------------------------------


def test_five_mistakes_are_five_lines(desk: Desk) -> None:
    """All of them at once, each with file and key; nothing is written (CFG-1)."""
    text = (
        CONFIG.replace("equity = 100_000", "equity = -5")
        .replace('price = "mid"', 'price = "middle"')
        .replace("max_positions = 9", 'max_positions = "nine"')
        .replace("[pacing]", "[pacing]\nspacing_sec = 5")
    )
    desk.configure(_strategy("ema", "EMMA"), text)

    assert desk.replay() == 78

    lines = [line for line in desk.err.splitlines() if line.startswith("foliod:")]
    assert len(lines) == 5
    for key in ("equity", "price", "max_positions", "spacing_sec", "kind"):
        assert sum(key in line.partition("foliod.toml")[2] for line in lines) >= 1, key
    assert all("foliod.toml" in line for line in lines)
    assert any("spacing_s" in line and "did you mean" in line for line in lines)
    assert desk.runs() == []


# Strategies -------------------------------------------------------------------------------------


def test_a_strategy_that_raises_is_quarantined_alone(desk: Desk) -> None:
    """Its position stays protected, the other engine trades on, the journal has the traceback."""
    raises = f"""if self.count == 60:
            return {BUY}
        if self.count == 100:
            raise ValueError("a hundred bars are enough")"""
    trades = f"if self.count in (60, 120):\n            return {BUY}"
    desk.write(_rows(2, fall_at=110))
    both = _user_strategy(desk.folder, "raises", raises)
    desk.configure(both + _user_strategy(desk.folder, "trades", trades))

    assert desk.replay() == 0

    entries = desk.entries()
    found = [entry for entry in entries if isinstance(entry, EngineQuarantined)]
    assert [(one.strategy, one.error) for one in found] == [
        ("raises", "ValueError: a hundred bars are enough")
    ]
    assert "Quarantined engines" in desk.out
    assert "EURUSD/raises" in desk.out
    assert "raises.py" in found[0].traceback
    assert str(desk.folder) not in found[0].traceback
    assert str(ROOT) not in found[0].traceback
    assert "/" not in found[0].traceback.replace("</", "")
    fills = [entry for entry in entries if isinstance(entry, Filled)]
    legs = [(one.strategy, one.leg) for one in fills]
    # Both entered at bar 61; the fall at bar 111 stops both; only the healthy one enters again.
    assert legs[:4] == [
        ("raises", "entry"),
        ("trades", "entry"),
        ("raises", "stop"),
        ("trades", "stop"),
    ]
    assert ("trades", "entry") in legs[4:]
    assert "raises" not in [strategy for strategy, _ in legs[4:]]
    assert check(desk.runs()[-1] / "foliod.db") == []


def test_a_signal_that_means_nothing_is_the_strategys_mistake(desk: Desk) -> None:
    """A NaN stop quarantines the engine that asked for it; no order comes of it (FEED-2)."""
    body = 'if self.count == 50:\n            return Signal(1, stop=float("nan"))'
    desk.configure(_user_strategy(desk.folder, "nan", body))

    assert desk.replay() == 0

    found = [entry for entry in desk.entries() if isinstance(entry, EngineQuarantined)]
    assert len(found) == 1
    assert "stop" in found[0].error
    assert not [entry for entry in desk.entries() if isinstance(entry, Filled)]


# Bad luck ---------------------------------------------------------------------------------------


def test_ctrl_c_keeps_the_days_so_far(desk: Desk) -> None:
    """SIGINT: exit status 130, whole days, a journal that folds, a run that reads interrupted."""
    body = "if self.count == 400:\n            os.kill(os.getpid(), signal.SIGINT)"
    desk.write(_rows(6))
    desk.configure(_user_strategy(desk.folder, "stops", body))

    assert desk.process() == 130

    folder = desk.runs()[-1]
    entries = desk.entries()
    assert manifest_of(folder).state == "interrupted"
    assert json.loads((folder / "run.json").read_text())["reason"] == "INTERRUPTED"
    assert isinstance(entries[-1], RunEnded)
    assert entries[-1].reason == "INTERRUPTED"
    # Bar 400 is on the second day: two days are whole, the third was not begun.
    assert [entry.day for entry in entries if isinstance(entry, DayRolled)] == [738_893, 738_894]
    assert check(folder / "foliod.db") == []
    assert "interrupted" in desk.err


def test_kill_9_reads_as_interrupted_and_the_next_run_is_new(desk: Desk) -> None:
    """What was committed is whole; nobody takes the dead run for a living or finished one."""
    body = "if self.count == 700:\n            os.kill(os.getpid(), signal.SIGKILL)"
    desk.write(_rows(6))
    desk.configure(_user_strategy(desk.folder, "dies", body))

    assert desk.process() == -9

    dead = desk.runs()[-1]
    assert manifest_of(dead).state == "interrupted"
    assert [entry.day for entry in desk.entries() if isinstance(entry, DayRolled)]
    assert check(dead / "foliod.db") == []
    assert not (dead / "summary.json").exists()

    desk.configure(_strategy("ema", "EMA"))
    assert desk.replay() == 0
    (new,) = [folder for folder in desk.runs() if folder != dead]
    assert manifest_of(new).state == "complete"
    assert manifest_of(dead).state == "interrupted"
    assert desk.replay("--run-dir", str(dead)) == 74
    assert "already holds a run" in desk.err


def test_a_full_disk_is_said_and_the_run_reads_as_failed(desk: Desk) -> None:
    """Exit status 74 with words; what was acknowledged is whole (DUR-1)."""
    body = f"if self.count % 3 == 0:\n            return {BUY}"
    desk.write(_rows(10))
    desk.configure(_user_strategy(desk.folder, "busy", body))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    assert desk.process(limit) == 74

    folder = desk.runs()[-1]
    assert manifest_of(folder).state in ("failed", "interrupted")
    assert "foliod.db" in desk.err
    assert "Check the disk" in desk.err
    assert check(folder / "foliod.db") == []
    assert not isinstance(desk.entries()[-1], RunEnded)
    assert not (folder / "summary.json").exists()


def test_a_folder_in_use_is_refused_with_its_holder(desk: Desk) -> None:
    """A second process on the same run folder: exit status 73, and who holds it (OWN-1)."""
    folder = desk.folder / "mine"
    folder.mkdir()
    lock = PortfolioLock(folder, this_process("foliod replay", 0))

    assert desk.replay("--run-dir", str(folder)) == 73

    lock.release()
    assert str(os.getpid()) in desk.err
    assert desk.replay("--run-dir", str(folder)) == 0


WISHES = {
    "a text": "'buy'",
    "a level that is text": "Signal(1, stop='1.0')",
    "a side that is text": "Signal('buy', stop=1.0)",
    "a note that is a number": "Signal(1, stop=1.0, note=5)",
    "a note that is no Unicode": "Signal(1, stop=1.0, note='\\ud800')",
    "a tag that is a number": "Exit(tag=5)",
}
"""What a strategy answers by mistake; none of it could be read back from a journal."""


@pytest.mark.parametrize("what", WISHES)
def test_an_answer_that_is_no_wish_is_the_strategys_mistake(desk: Desk, what: str) -> None:
    """The engine is quarantined, the journal stays readable and the run complete (E1)."""
    body = f"if self.count == 50:\n            return {WISHES[what]}"
    desk.configure(_user_strategy(desk.folder, "wrong", body))

    assert desk.replay() == 0

    found = [entry for entry in desk.entries() if isinstance(entry, EngineQuarantined)]
    assert [one.strategy for one in found] == ["wrong"]
    assert check(desk.runs()[-1] / "foliod.db") == []


def test_numbers_of_numpy_are_numbers(desk: Desk) -> None:
    """A level computed with numpy is a level, and plain in the journal."""
    body = (
        "import numpy\n        if self.count == 50:\n"
        "            return Signal(numpy.int64(1), stop=numpy.float64(bar.close - 0.005))"
    )
    desk.configure(_user_strategy(desk.folder, "numbers", body))

    assert desk.replay() == 0

    entries = desk.entries()
    assert not [entry for entry in entries if isinstance(entry, EngineQuarantined)]
    assert [entry.leg for entry in entries if isinstance(entry, Filled)] == ["entry"]


@pytest.mark.parametrize("raised", ["ValueError('no')", "SystemExit(0)", "ValueError('\\ud800')"])
@pytest.mark.parametrize("count", [5, 400])
def test_a_strategy_may_raise_while_it_warms_up(desk: Desk, count: int, raised: str) -> None:
    """Before ``--from`` as after it: one engine is quarantined, and the run goes on (E1, F7)."""
    body = f"if self.count == {count}:\n            raise {raised}"
    desk.configure(_user_strategy(desk.folder, "raises", body) + _strategy("ema", "EMA"))

    assert desk.replay("--from", "2024-01-09") == 0

    found = [entry for entry in desk.entries() if isinstance(entry, EngineQuarantined)]
    assert [(one.strategy, one.error.split(":")[0]) for one in found] == [
        ("raises", raised.split("(")[0])
    ]
    assert check(desk.runs()[-1] / "foliod.db") == []


def test_a_strategy_that_ends_itself_when_made_is_no_success(desk: Desk) -> None:
    """A constructor that calls ``exit`` is a mistake with words, not a silent status 0."""
    rows = _user_strategy(desk.folder, "leaves", "pass")
    path = desk.folder / "leaves.py"
    made = "    def __init__(self, context, params):\n        raise SystemExit(0)\n"
    path.write_text(path.read_text().replace("    count = 0\n", f"    count = 0\n\n{made}"))
    desk.configure(rows)

    assert desk.replay() == 78

    assert "leaves.py" in desk.err
    assert "SystemExit" in desk.err


def test_a_range_that_ends_before_it_begins_is_refused(desk: Desk) -> None:
    """Exit status 2, both ends named, nothing written."""
    assert desk.replay("--from", "2024-01-09", "--to", "2024-01-08") == 2

    assert "--from" in desk.err
    assert "--to" in desk.err
    assert desk.runs() == []


@pytest.mark.parametrize("range_", [("--from", "2030-01-01"), ("--to", "2020-01-01")])
def test_a_range_without_bars_is_no_complete_run(desk: Desk, range_: tuple[str, str]) -> None:
    """Exit status 65, and what the files hold: a run that traded nothing proves nothing."""
    assert desk.replay(*range_) == 65

    assert "2024-01-08" in desk.err
    assert [manifest_of(folder).state for folder in desk.runs()] == ["failed"]
