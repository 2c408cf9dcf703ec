"""The picture of a day: the day's own numbers, whatever the names are, and the same bytes (C5)."""

from __future__ import annotations

import asyncio
import struct
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from daemon.reports.daily import stepped
from daemon.reports.picture import DayPicture, by_strategy, draw, write_day_picture
from state.errors import JournalError
from state.table_rows import Trade
from state.units import DAY_NS, HOUR_NS
from tests.run_folders import two_days, write_run
from tests.small_runs import call

T0 = 19_000 * DAY_NS
TRADE = Trade(
    "t", 1, "main", "r", "0.1.0", "EURUSD", "orb", "long", Decimal(1), 1, T0, T0, Decimal(1),
    Decimal(1), None, None, T0 + HOUR_NS, Decimal(1), Decimal(1), "STOP", Decimal(0), Decimal(0),
    Decimal(0), Decimal(1), Decimal(1), Decimal(1), 1.0,
)  # fmt: skip
DAY = DayPicture("2022-01-08", "main", "USD", "UTC", True, T0, T0 + DAY_NS, [(T0, 100.0)], [])


def size(png: bytes) -> tuple[int, int]:
    """Return width and height of a PNG."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def trade(strategy: str, r: float) -> Trade:
    """Return a closed trade of a strategy."""
    return msgspec.structs.replace(TRADE, strategy=strategy, r=r, pnl=Decimal(str(r)))


@pytest.mark.parametrize(
    "day",
    [
        DAY,
        msgspec.structs.replace(DAY, trades=[TRADE]),
        msgspec.structs.replace(DAY, curve=[(T0, 0.0), (T0 + HOUR_NS, 1e9)], trades=[TRADE]),
        msgspec.structs.replace(
            DAY,
            portfolio_id="$x^{$" * 9,
            currency="$\\frac{",
            zone="Asia/Kolkata",
            final=False,
            trades=[trade(f"<b>${n}$</b>\x1b[31m" + "y" * 60, 0.0) for n in range(40)],
        ),
    ],
    ids=["flat", "one trade", "steep", "hostile names"],
)
def test_any_day_can_be_drawn(day: DayPicture) -> None:
    """Nothing, one trade, a step of a billion, names that are markup: a picture of its size."""
    assert size(draw(day)) == (960, 672)
    assert draw(day) == draw(day)


def test_strategies_are_added_up() -> None:
    """Best first; of twelve the nine largest stay and three become one row, nothing is lost."""
    rows = by_strategy([trade("a", 1.0), trade("b", -2.0), trade("a", 0.5)])
    assert rows == [("a", 1.5, 2), ("b", -2.0, 1)]
    many = by_strategy([trade(f"s{n:02d}", n - 5.5) for n in range(12)])
    assert len(many) == 10
    assert many[-1][0] == "3 others"
    assert sum(row[1] for row in many) == pytest.approx(sum(n - 5.5 for n in range(12)))
    assert sum(row[2] for row in many) == 12


def test_a_gap_of_marks_is_flat() -> None:
    """Equity is marked hourly where it changed: five hours without a mark did not slope."""
    points = stepped([(0, 1.0), (5 * HOUR_NS, 2.0), (6 * HOUR_NS, 3.0)])
    assert points == [(0, 1.0), (4 * HOUR_NS, 1.0), (5 * HOUR_NS, 2.0), (6 * HOUR_NS, 3.0)]


def test_the_picture_of_a_run(tmp_path: Path) -> None:
    """The newest day, or the one asked for; a day that is not there is told with those that are."""
    folder = write_run(tmp_path / "run", two_days())
    path = asyncio.run(write_day_picture(folder))
    assert path == folder / "reports" / "daily" / "2017-01-06.png"
    assert size(path.read_bytes()) == (960, 672)
    assert asyncio.run(write_day_picture(folder, "2017-01-05")).name == "2017-01-05.png"
    with pytest.raises(JournalError, match="there are 2017-01-05 to 2017-01-06"):
        asyncio.run(write_day_picture(folder, "2017-01-07"))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``report day --png`` prints the picture's path; ``--date`` needs it."""
    folder = write_run(tmp_path / "run", two_days())
    assert call("report", "day", "--png", "--date", "2017-01-05", folder) == 0
    assert f"{folder}/reports/daily/2017-01-05.png" in capsys.readouterr().out
    assert call("report", "day", "--date", "2017-01-05", folder) == 2
