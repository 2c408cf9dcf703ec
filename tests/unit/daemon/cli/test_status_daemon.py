"""`foliod status --check` and `--watch` of a daemon: what is a failure, and a clean end."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from daemon.cli.main import cli
from daemon.cli.status_watch import drawn
from state.entries import Entry, HaltSet, KillChanged, PlanSet
from state.errors import ExitCode, FoliodError
from state.lock import PortfolioLock, this_process
from state.units import HOUR_NS
from tests.builders import ROOT
from tests.homes import write_home
from tests.run_folders import DAY_ONE, T0, beginning, opening, two_days, write_run

CONFIG = '[portfolio]\nid = "main"\ndata_dir = "."\n'
AT = T0 + HOUR_NS


def halt(name: str, *, until_ns: int | None = None) -> HaltSet:
    """Return a halt by name."""
    found = HaltSet(AT, name, "HALTED", "by hand", "1", "2", day=DAY_ONE)
    return found if until_ns is None else HaltSet(**{**_fields(found), "until_ns": until_ns})


def _fields(entry: HaltSet) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in entry.__struct_fields__}


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Return what writes the folder of a daemon with more entries than the first three."""

    def written(*more: Entry) -> Path:
        (tmp_path / "foliod.toml").write_text(CONFIG)
        return write_home(tmp_path / "main", [*beginning(), *more])

    return written


@pytest.fixture
def working(make: Callable[..., Path]) -> Iterator[Callable[..., Path]]:
    """Return the same, with a process that holds the folder until the test ends."""
    locks: list[PortfolioLock] = []

    def written(*more: Entry) -> Path:
        home = make(*more)
        locks.append(PortfolioLock(home, this_process("foliod run", 0)))
        return home

    yield written
    for one in locks:
        one.release()


def call(home: Path, *arguments: str) -> Result:
    """Call the program with the configuration beside a portfolio's folder."""
    config = ["-c", str(home.parent / "foliod.toml")]
    return CliRunner().invoke(cli, [*config, "status", *arguments])


def test_a_daemon_that_works_is_well(working: Callable[..., Path]) -> None:
    """Held, a fresh line, nothing that needs a person: 0, and the screen says how fresh."""
    result = call(working(), "--check")

    assert result.exit_code == ExitCode.OK, result.output
    assert "told      0 s ago" in result.output
    assert "!!" not in result.output


@pytest.mark.parametrize(
    "entry",
    [halt("r_stop"), halt("strategy_r_stop/orb"), halt("drawdown", until_ns=AT + HOUR_NS)],
    ids=lambda one: one.name,
)
def test_a_halt_that_ends_by_itself_is_told_and_no_failure(
    working: Callable[..., Path], entry: HaltSet
) -> None:
    """The supervision at work: the day's roll or the time ends it."""
    result = call(working(entry), "--check")

    assert result.output.startswith(f"!! HALTED {entry.name}")
    assert result.exit_code == ExitCode.OK


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (halt("operator"), "until `foliod resume`"),
        (halt("drawdown"), "until `foliod reset drawdown`"),
        (KillChanged(AT, "halt", "the feed"), "KILL SWITCH, level halt: the feed"),
    ],
    ids=["operator", "manual drawdown lock", "kill switch"],
)
def test_what_only_a_person_lifts_is_a_failure(
    working: Callable[..., Path], entry: HaltSet | KillChanged, said: str
) -> None:
    """A latch that stays until somebody acts: 1, with how to act."""
    result = call(working(entry), "--check")

    assert result.exit_code == ExitCode.NO
    assert said in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("stale/EURUSD", "FEED_STALE no bar since 08:00, until its bars flow again"),
        ("venue/EURUSD", "FEED_STALE no bar since 08:00, until the venue takes orders for it"),
        ("venue", "FEED_STALE no bar since 08:00, until the venue says that it is open"),
        ("refused", "FEED_STALE no bar since 08:00, until `foliod reset refused`"),
    ],
)
def test_a_breaker_of_the_feed_is_told_with_its_reason_and_what_ends_it(
    working: Callable[..., Path], name: str, said: str
) -> None:
    """It has no value and no limit; nobody is sent to reset what ends with the next bar (R5)."""
    entry = HaltSet(AT, name, "FEED_STALE", "no bar since 08:00", "", "no halt")

    result = call(working(entry), "--check")

    assert result.exit_code == ExitCode.NO
    assert said in " ".join(result.output.split())


def test_a_stale_line_is_a_failure(working: Callable[..., Path]) -> None:
    """A process that holds the folder and says nothing any more: it hangs."""
    home = working()
    for path in (home / "logs").iterdir():
        os.utime(path, (1_000, 1_000))

    result = call(home, "--check")

    assert result.exit_code == ExitCode.NO
    assert result.output.startswith("!! STALE the newest status line is")


def test_what_is_dangerous_comes_first(working: Callable[..., Path]) -> None:
    """Unprotected before unknown before stale before all that only stops entries."""
    unprotected = [
        one for one in opening("t1", AT, "orb", 1, 105_000) if not isinstance(one, PlanSet)
    ]
    home = working(*unprotected, halt("operator"))
    (path,) = (home / "logs").iterdir()
    line = json.loads(path.read_bytes())
    line["alerts"] = [{"code": "QUARANTINED", "what": "x"}, *line["alerts"]]
    line["broker"]["unknown"] = 1
    path.write_text(json.dumps(line) + "\n")
    os.utime(path, (1_000, 1_000))

    result = call(home, "--check")

    heads = [line.split()[1] for line in result.output.splitlines() if line.startswith("!!")]
    assert heads == ["UNPROTECTED", "UNKNOWN_ORDER", "STALE", "QUARANTINED", "HALTED"]
    assert result.exit_code == ExitCode.NO
    assert max(map(len, result.output.splitlines())) <= 80


def test_a_database_that_cannot_be_written_is_a_failure(working: Callable[..., Path]) -> None:
    """The line says so itself."""
    home = working()
    (path,) = (home / "logs").iterdir()
    line = json.loads(path.read_bytes())
    line["db"]["ok"] = False
    path.write_text(json.dumps(line) + "\n")

    result = call(home, "--check")

    assert (result.exit_code, "cannot be written" in result.output) == (ExitCode.NO, True)


def test_no_daemon_is_told_apart_from_a_sick_one(make: Callable[..., Path]) -> None:
    """75 when none works, although its last line says that all is well; JSON has it too."""
    home = make()

    result = call(home, "--check")

    assert result.exit_code == ExitCode.TRY_AGAIN
    assert result.output.startswith("!! no daemon works: the run is interrupted")
    found = json.loads(call(home, "--json").output)
    assert (found["ok"], found["works"], found["age_s"]) == (False, False, None)


def test_a_finished_replay_does_not_hide_a_dead_daemon(make: Callable[..., Path]) -> None:
    """--check asks about the portfolio's daemon where there ever was one."""
    home = make()
    write_run(home.parent / "runs" / "20990101T000000.000Z-rabc", two_days())

    assert call(home, "--check").exit_code == ExitCode.TRY_AGAIN
    assert "rabc" in call(home).output


def test_where_nothing_ever_worked_none_works(tmp_path: Path) -> None:
    """75 as well, and in words."""
    (tmp_path / "foliod.toml").write_text(CONFIG)

    result = call(tmp_path / "main", "--check")

    assert isinstance(result.exception, FoliodError)
    assert result.exception.exit_code == ExitCode.TRY_AGAIN


def test_watching_needs_a_terminal_and_stands_alone(make: Callable[..., Path]) -> None:
    """Into a file it would be a stream of screens; for that there is tail."""
    home = make()

    for arguments in (["--watch"], ["--watch", "--check"], ["--watch", "--json"]):
        result = call(home, *arguments)
        assert result.exit_code == ExitCode.USAGE
        assert "tail -f" in result.output


def test_a_screen_is_cut_to_its_terminal() -> None:
    """What needs a person is at the top and stays; a last line says how much is missing."""
    found = drawn(["!! UNPROTECTED", "   and more", *["x"] * 40], 10).plain.splitlines()

    assert found[:2] == ["!! UNPROTECTED", "   and more"]
    assert found[-1] == "... 33 more lines: foliod status"
    assert len(found) == 10


@pytest.mark.parametrize("color", [True, False])
def test_watch_shows_what_changes_and_ends_cleanly(
    working: Callable[..., Path], color: bool
) -> None:
    """A terminal of 80 columns: the next line appears, Ctrl-C gives the terminal back, status 0."""
    home = working(halt("operator"))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    options = [] if color else ["--no-color"]
    command = ["-P", "-m", "daemon.cli.main", *options, "status", "--watch"]
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=home.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = _read_until(ours, b"by hand", b"HALTED operator")
    (path,) = (home / "logs").iterdir()
    line = json.loads(path.read_bytes())
    line["reason"] = "another reason"
    path.write_text(json.dumps(line) + "\n")
    shown += _read_until(ours, b"another reason")
    process.send_signal(signal.SIGINT)
    rest = _read_until(ours, b"\x1b[?1049l")

    assert process.wait(timeout=30) == ExitCode.OK
    assert b"Traceback" not in shown + rest
    assert b"\x1b[?25h" in rest or b"\x1b[?25l" not in shown
    assert (b"\x1b[1;31m" in shown) == color
    assert b"\x1b[31m" not in shown
    os.close(ours)


def _read_until(terminal: int, *awaited: bytes) -> bytes:
    """Read what is drawn until it has any of the words; fails when it ends without."""
    found = b""
    while not any(one in found for one in awaited):
        ready, _, _ = select.select([terminal], [], [], 30)
        assert ready, found
        try:
            content = os.read(terminal, 65_536)
        except OSError:
            content = b""
        assert content, found
        found += content
    return found
