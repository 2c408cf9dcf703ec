"""What a new user gets wrong in the first hour, in words and exit status (U2, U6).

Stdout holds results and nothing else, so that ``foliod --json VERB | ...`` can be trusted.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daemon.cli.main import run
from state.errors import ExitCode
from tests.integration.test_replay_bad_input import CONFIG, _rows

TALKER = '''
"""Speaks where it should not."""
from foliod import Strategy

print("imported")

class Talker(Strategy):
    """Prints at every bar."""

    def on_bar(self, bar, in_window):
        print("a bar")

    def state(self):
        return {}

    def restore(self, state):
        pass
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder: a day of bars, a configuration beside it, a loud strategy."""
    (tmp_path / "bars.csv").write_text("\n".join(["ts,open,high,low,close,volume", *_rows(1)]))
    loud = '[[strategies]]\nname = "loud"\nkind = "loud.py:Talker"\nsymbols = ["EURUSD"]\n'
    (tmp_path / "loud.py").write_text(TALKER)
    (tmp_path / "own.toml").write_text(CONFIG + loud)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("bars.csv", "name the symbol too: SYMBOL=bars.csv"),
        ("=bars.csv", "the symbol is missing; write SYMBOL=FILE, such as EURUSD=bars.csv"),
        ("EURUSD=", "the file is missing; write SYMBOL=FILE, such as EURUSD=bars.csv"),
    ],
)
def test_half_an_argument_is_completed(
    folder: Path, capfd: pytest.CaptureFixture[str], argument: str, words: str
) -> None:
    """The message names the half that is not there."""
    assert run(["replay", argument, "--price", "mid"]) == ExitCode.CONFIG
    assert words in capfd.readouterr().err


def test_bars_too_coarse_for_the_strategies_say_what_to_do(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Hourly bars cannot feed 5m engines; the way out is in the message."""
    hours = ["ts,open,high,low,close,volume", *_rows(4)[::12]]
    (folder / "hours.csv").write_text("\n".join(hours))
    assert run(["replay", "EURUSD=hours.csv", "--price", "mid"]) == ExitCode.CONFIG
    assert "set interval" in capfd.readouterr().err


def test_a_data_folder_that_cannot_be_is_said_before_the_run(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The demo says which path it could not write, and which option names another."""
    assert run(["--data-dir", "bars.csv", "replay", "--demo"]) == ExitCode.CONFIG
    assert "name another --data-dir" in capfd.readouterr().err


def test_what_a_strategy_prints_is_no_result(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """JSON on stdout stays JSON in replay, check and verify, however loud a strategy is."""
    program = ["-q", "-c", "own.toml", "--json"]
    for verb in (["check"], ["replay", "--run-dir", "one"], ["verify", "./one"]):
        assert run([*program, *verb]) == ExitCode.OK
        out, err = capfd.readouterr()
        assert isinstance(json.loads(out), dict)
    assert "a bar" in err
