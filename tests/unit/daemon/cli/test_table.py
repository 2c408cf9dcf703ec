"""Tables fit the terminal and round money for people; CSV and JSON keep every digit and column."""

from __future__ import annotations

import json
import sys
from decimal import Decimal

import pytest

from daemon.cli.table import Cell, print_rows, wrapped_lines

COLUMNS = ("exit_at", "note", "price", "pnl")
ROWS: list[list[Cell]] = [
    ["2017-01-05T10:00:00Z", "n" * 40, Decimal("1.05061"), Decimal("201.53475000")],
    ["2017-01-06T10:00:00Z", "m", Decimal("1.05000"), Decimal("-0.00400000")],
]


def _terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))


def test_money_is_rounded_for_people_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """Cents in text, prices as they are; JSON has the exact amounts."""
    print_rows(COLUMNS, ROWS, "text")
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == list(COLUMNS)
    assert first.split()[2:] == ["1.05061", "201.53"]
    assert second.split()[2:] == ["1.05000", "-0.00"]
    print_rows(COLUMNS, ROWS, "json")
    assert [row["pnl"] for row in json.loads(capsys.readouterr().out)] == [
        "201.53475000",
        "-0.00400000",
    ]


def test_small_amounts_of_a_coin_keep_their_digits(capsys: pytest.CaptureFixture[str]) -> None:
    """A column without any amount of 10 or more may be in a currency whose cents matter."""
    print_rows(("pnl",), [[Decimal("0.00120000")]], "text")
    assert capsys.readouterr().out.split() == ["pnl", "0.00120000"]


def test_a_narrow_terminal_loses_spare_columns_and_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first spare column goes first, no more of them than needed; stderr names them."""
    _terminal(monkeypatch, 60)
    print_rows(COLUMNS, ROWS, "text", ("note", "price"))
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split() == ["exit_at", "price", "pnl"]
    assert err.startswith("left out: note ")


def test_what_is_no_terminal_gets_every_column(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe or a file has no width."""
    monkeypatch.setenv("COLUMNS", "20")
    print_rows(COLUMNS, ROWS, "text", ("note", "price"))
    assert capsys.readouterr().out.splitlines()[0].split() == list(COLUMNS)


def test_long_cells_go_on_below_within_the_width() -> None:
    """80 columns hold a gate's answer; no instant is broken; no word is lost."""
    rows = [
        ["yes", "g" * 16, "C" * 18, "2017-01-05T10:00:00Z", "30 min before to 30 min after"],
        ["NO", "short", "CODE", " ".join(["212485"] * 9), ""],
    ]
    found = wrapped_lines(("ok", "gate", "code", "observed", "limit"), rows, 80)
    assert max(map(len, found)) <= 80
    assert "2017-01-05T10:00:00Z" in found[1]
    assert " ".join(found).split().count("212485") == 9
    assert wrapped_lines(("a", "b"), [["1", "2"]], 80) == ["a  b", "1  2"]
