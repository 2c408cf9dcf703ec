"""``foliod bars``: readable in 80 columns, the same facts as JSON, and an honest exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from daemon.cli.bars import bars, interval_ns
from daemon.cli.main import main
from state.errors import FeedError
from state.units import HOUR_NS, MINUTE_NS

ROWS = "".join(f"20210310 00{i:02d}00;1.05;1.07;1.04;1.06;0\n" for i in range(5))


def test_text_fits_and_names_the_settings(tmp_path: Path) -> None:
    """Without zone and price: exit 0, and both settings are asked for, in 80 columns."""
    path = tmp_path / "b.csv"
    path.write_text(ROWS)
    result = CliRunner().invoke(bars, [str(path)])
    assert result.exit_code == 0, result.output
    assert "dialect     histdata" in result.output
    assert "bars        5 of 1m" in result.output
    assert "  zone      " in result.output
    assert "  price     " in result.output
    lines = [line for line in result.output.splitlines() if str(path) not in line]
    assert max(len(line) for line in lines) <= 80


def test_refused_rows_exit_65(tmp_path: Path) -> None:
    """A file that gave rows which are no bars: exit 65, the reason and the line on the screen."""
    path = tmp_path / "b.csv"
    path.write_text(ROWS + "20210310 000500;1.05;1.04;1.03;1.06;0\n")
    result = CliRunner().invoke(bars, [str(path), "--zone", "UTC", "--price", "mid"])
    assert result.exit_code == 65
    assert "HIGH_TOO_LOW 1 rows; first: line 6" in result.output


def test_json_has_the_same_facts(tmp_path: Path) -> None:
    """--json prints one object with ``ok`` and instants as text."""
    path = tmp_path / "b.csv"
    path.write_text(ROWS)
    arguments = [str(path), "--json", "--zone", "UTC", "--interval", "1m", "--symbol", "EURUSD"]
    result = CliRunner().invoke(bars, arguments)
    found = json.loads(result.output)
    assert result.exit_code == 0
    assert found["ok"] is True
    assert (found["symbol"], found["rows"], found["interval_ns"]) == ("EURUSD", 5, MINUTE_NS)
    assert (found["first"], found["last"]) == ("2021-03-10T00:00:00Z", "2021-03-10T00:04:00Z")


def test_interval_is_written_with_a_unit() -> None:
    """4h is four hours; a bare number is refused."""
    assert interval_ns("4h") == 4 * HOUR_NS
    for wrong in ("", "5", "m", "0m", "-1m", "1.5h", "1w"):
        with pytest.raises(FeedError, match="is no interval"):
            interval_ns(wrong)


def test_no_bar_file_is_a_feed_error(tmp_path: Path) -> None:
    """What cannot be read at all leaves as FeedError, which the program prints and exits 65 on."""
    result = CliRunner().invoke(bars, [str(tmp_path / "none.csv")])
    assert isinstance(result.exception, FeedError)
    assert int(result.exception.exit_code) == 65


def test_exit_status_of_the_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Through the program itself: 0 usable, 65 refused rows, 65 and one line when unreadable."""
    path = tmp_path / "b.csv"
    statuses = []
    for text in (ROWS, ROWS + "cut line\n", "nothing\n"):
        path.write_text(text)
        with pytest.raises(SystemExit) as ended:
            main(["--json", "bars", str(path), "--zone", "UTC"])
        statuses.append(ended.value.code)
    assert statuses == [0, 65, 65]
    shown = capsys.readouterr()
    assert [json.loads(line)["ok"] for line in shown.out.splitlines()] == [True, False]
    assert "is no dialect foliod knows" in shown.err
