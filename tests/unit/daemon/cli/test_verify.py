"""``foliod verify``: a sound run holds; every planted change is found, and named (V1, S2)."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.clock import SystemClock
from config.load import load
from daemon.replay import Replay, ReplayOptions
from daemon.runtime.trade_log import COLUMNS
from tests.fakes import pausing
from tests.small_runs import call, make_home, replayed, said


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with bars, a configuration and one run, ``sound``."""
    folder = make_home(tmp_path_factory.mktemp("verify"))
    replayed(folder, "sound", "--to", "2024-02-03")
    return folder


@pytest.fixture
def copy(home: Path, tmp_path: Path) -> Path:
    """Return a copy of the sound run, to be damaged."""
    return Path(shutil.copytree(home / "var" / "runs" / "sound", tmp_path / "copy"))


@pytest.fixture
def bars(home: Path) -> Iterator[Path]:
    """Return the run's bar file; it is as it was after the test."""
    path = home / "bars" / "EURUSD_1m.csv"
    before = path.read_bytes()
    yield path
    path.write_bytes(before)


def change(run: Path, sql: str, *values: object) -> None:
    """Change the database of a run behind the program's back."""
    with closing(sqlite3.connect(run / "foliod.db")) as connection, connection:
        assert connection.execute(sql, values).rowcount > 0


def test_a_sound_run_holds(
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Found by name, every part holds, exit 0, and no temporary folder is left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert call("-q", "--data-dir", home / "var", "verify", "sound") == 0
    text = said(capsys)
    assert re.search(r"ok decisions \d{3,} entries re-decided byte for byte", text)
    assert text.endswith("The run holds.")
    assert list(tmp_path.iterdir()) == []


def test_options_of_the_run_are_used(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run from and to given instants, closed at the end, is re-decided with the same."""
    arguments = ["--from", "2024-01-17", "--to", "2024-01-24T09:00:00Z", "--close-at-end"]
    run = replayed(home, "part", *arguments)
    capsys.readouterr()
    assert call("-q", "--json", "verify", run) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is True
    assert [part["name"] for part in found["parts"]] == [
        "books",
        "configuration",
        "bars",
        "inputs",
        "trades",
        "decisions",
    ]


def test_one_tick_in_one_row_of_the_bars(
    home: Path, copy: Path, bars: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The changed file is named, then the first entry that comes out otherwise."""
    lines = bars.read_text().splitlines()
    # The last minute of a 5m bar in the London session: its close is that of the 5m bar.
    number = next(n for n, line in enumerate(lines) if re.match(r"2024-01-23.08:04", line))
    stamp, open_, high, low, close, volume = lines[number].split(",")
    # Away from the extreme that it may be at, so that the row stays a possible bar.
    tick = -1e-5 if float(close) > float(low) else 1e-5
    lines[number] = ",".join([stamp, open_, high, low, f"{float(close) + tick:.5f}", volume])
    bars.write_text("\n".join(lines) + "\n")
    assert call("-q", "verify", copy) == 1
    text = said(capsys)
    assert f"fail bars EURUSD: {bars} was changed since the run" in text
    # It decided nothing: the first to differ is the note of the bars consumed up to that midnight.
    told = (
        r"fail decisions entry \d+ BarsConsumed at 2024-01-24T00:00:00Z, EURUSD/5m: digest is \w+"
    )
    assert re.search(told, text)
    assert text.endswith("The run does not hold: bars, decisions.")


def test_a_missing_bar_file(copy: Path, bars: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is named, and the decisions are said to be unproven, not whole."""
    bars.unlink()
    assert call("-q", "verify", copy) == 1
    text = said(capsys)
    assert f"fail bars EURUSD: {bars} is missing" in text
    assert "fail decisions cannot be re-decided:" in text


def test_an_edited_news_or_strategy_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their content is in the run's id and in its manifest; one that was changed is named."""
    home = make_home(tmp_path)
    config, news, own = home / "foliod.toml", home / "news.csv", home / "own.py"
    news.write_text("date,time_utc,currencies,impact,title\n2024-01-15,13:30,USD,high,CPI\n")
    own.write_text(Path(pausing.__file__).read_text())
    text = config.read_text().replace(str(Path(pausing.__file__).resolve()), "own.py")
    config.write_text(f'{text}\n[news]\nfile = "news.csv"\n')
    run = replayed(home, "with", "--to", "2024-01-18")
    assert call("-q", "verify", run) == 0
    for path, kind in ((news, "news"), (own, "strategy")):
        before = path.read_text()
        path.write_text(before + "\n")
        capsys.readouterr()
        assert call("-q", "verify", run) == 1
        said_of = said(capsys)
        assert f"fail inputs {kind}: {path} was changed since the run" in said_of
        assert said_of.endswith("The run does not hold: inputs.")
        path.write_text(before)
    own.write_text(own.read_text() + "\n")
    again = replayed(home, "again", "--to", "2024-01-18")
    ids = [json.loads((one / "run.json").read_text())["run_id"] for one in (run, again)]
    assert ids[0] != ids[1]


def test_one_tick_in_the_journal(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The chain names the entry, and the second decision the field with both values."""
    with closing(sqlite3.connect(copy / "foliod.db")) as connection:
        seq, payload = connection.execute(
            "SELECT seq, CAST(payload AS TEXT) FROM journal WHERE kind = 'Filled'"
            " ORDER BY seq LIMIT 1 OFFSET 4"
        ).fetchone()
    found = re.search(r'"fill_ticks":(\d+)', payload)
    assert found is not None
    ticks = int(found.group(1))
    bent = payload.replace(found.group(), f'"fill_ticks":{ticks + 1}')
    change(copy, "UPDATE journal SET payload = ? WHERE seq = ?", bent.encode(), seq)
    assert call("-q", "verify", copy) == 1
    text = said(capsys)
    assert f"fail books chain: broken at entry {seq}" in text
    told = rf"fail decisions entry {seq} Filled at 2024-\S+Z, EURUSD/(orb|arls): "
    assert re.search(
        rf"{told}fill_ticks is {ticks + 1} in the journal, re-decided {ticks} ", text + " "
    )
    assert f"the first {seq - 1} of " in text


def test_a_journal_without_its_end(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that calls itself complete must end with RunEnded."""
    change(copy, "DELETE FROM journal WHERE seq > (SELECT max(seq) - 3 FROM journal)")
    assert call("-q", "verify", copy) == 1
    assert "without RunEnded: its end is gone" in said(capsys)


def test_a_deleted_fill(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row taken out of a table is missing against the journal; the decisions still hold."""
    change(copy, "DELETE FROM fills WHERE rowid = (SELECT max(rowid) FROM fills)")
    assert call("-q", "verify", copy) == 1
    text = said(capsys)
    assert re.search(r"fail books tables: fills \S+ is missing", text)
    assert text.endswith("The run does not hold: books.")


def test_an_edited_trade_log(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line, the trade, the column and both values are named; a row taken out too."""
    path = copy / "trades.csv"
    lines = path.read_bytes().split(b"\r\n")
    cells = lines[3].decode().split(",")
    place = COLUMNS.index("pnl")
    cells[place] = "1000000.00"
    lines[3] = ",".join(cells).encode()
    gone = lines.pop(2).decode().split(",")[0]
    path.write_bytes(b"\r\n".join(lines))
    assert call("-q", "verify", copy, "--no-decide") == 1
    text = said(capsys)
    assert f"trades.csv line 3 (trade {cells[0]}): pnl is 1000000.00, the journal says" in text
    assert f"trade {gone} closed, but trades.csv has no row of it" in text


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda text: text + text.splitlines()[2] + "\r\n", "a second time"),
        (lambda text: text + "=cmd,x\r\n", "which the journal does not know"),
        (lambda text: text.replace("trade_id", "id"), "line 1 is not the header"),
        (lambda text: text.replace(",EUR", ',"EUR', 1), "cannot be read"),
        (None, "trades.csv is missing"),
    ],
)
def test_a_broken_trade_log(
    copy: Path, edit: object, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is wrong with the file is said, without a traceback."""
    path = copy / "trades.csv"
    if callable(edit):
        path.write_bytes(edit(path.read_bytes().decode()).encode())
    else:
        path.unlink()
    assert call("-q", "verify", copy, "--no-decide") == 1
    assert told in said(capsys)


def test_an_edited_configuration(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A changed setting changes the hash of config.toml, which is said."""
    path = copy / "config.toml"
    path.write_text(path.read_text().replace("equity = 100000", "equity = 100001"))
    assert call("-q", "verify", copy, "--no-decide") == 1
    assert "fail configuration" in said(capsys)


def test_changed_options(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The run id is a function of the options: other options in the manifest are found."""
    path = copy / "run.json"
    found = json.loads(path.read_bytes())
    found["options"]["close_at_end"] = True
    path.write_text(json.dumps(found))
    assert call("-q", "verify", copy) == 1
    assert "one of them was changed in it" in said(capsys)


def test_another_version_is_said(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another version of the program is no fault by itself, but worth knowing."""
    path = copy / "run.json"
    path.write_text(path.read_text().replace('"0.1.0"', '"0.0.9"'))
    call("-q", "verify", copy, "--no-decide")
    assert "note foliod 0.0.9 made the run, this is" in said(capsys)


def test_without_deciding(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--no-decide looks at books, bars and files, and does not claim more."""
    assert call("-q", "verify", home / "var" / "runs" / "sound", "--no-decide") == 0
    text = said(capsys)
    assert "decisions were not made again" in text
    assert "The run holds." not in text


def test_what_is_no_run(
    home: Path, tmp_path: Path, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown name, an empty folder, and a damaged manifest: exit 65, each in words."""
    assert call("--data-dir", home / "var", "verify", "saund") == 65
    assert "did you mean sound?" in capsys.readouterr().err
    assert call("verify", tmp_path) == 65
    (copy / "run.json").write_text("{")
    assert call("verify", copy) == 65
    (copy / "run.json").unlink()
    assert call("verify", copy) == 65
    assert "has no run.json" in capsys.readouterr().err


def test_a_run_without_its_database(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The books of a run without a database do not hold."""
    for path in copy.glob("foliod.db*"):
        path.unlink()
    assert call("-q", "verify", copy) == 1
    assert "fail books there is no journal at" in said(capsys)


def test_an_interrupted_run_is_proven_up_to_its_end(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C after a week: every entry comes out again, the last one too, and that is said."""
    config = home / "foliod.toml"
    settings = load([config], {})
    options = ReplayOptions(
        run_dir=tmp_path / "run", config_text=config.read_text(), strategies_folder=home
    )
    # What a run folder keeps has absolute paths.
    options = replace(options, config_text=options.config_text.replace('"bars/', f'"{home}/bars/'))
    replay = Replay(settings, options, SystemClock())
    seen: list[int] = []

    def interrupt(bars: int, now_ns: int) -> None:
        seen.append(bars)
        if len(seen) == 6:
            replay.stop()

    replay.options = replace(options, progress=interrupt)
    assert asyncio.run(replay.run()).reason == "INTERRUPTED"
    assert call("-q", "verify", tmp_path / "run") == 0
    text = said(capsys)
    assert "note the run was interrupted" in text
    assert text.endswith("The run holds.")
