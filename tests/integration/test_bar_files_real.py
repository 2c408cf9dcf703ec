"""Real files: what each dialect reads must be what was established about the same market."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adapters.feeds.columns import Columns
from adapters.feeds.files.source import BarSource, open_bars
from adapters.feeds.files.spec import BarFileSpec
from adapters.feeds.inspect import inspect
from state.errors import FeedError
from state.units import HOUR_NS, MINUTE_NS, utc_text
from tests.builders import shared_data

HISTDATA = "raw_formats/histdata_ascii_m1_EURUSD_20170310-13.csv"
MT5 = "raw_formats/mt5_h1_USDJPY_2021-03-10_2021-04-02.csv"
BINANCE = "raw_formats/binance_kline_ADABTC-1m-2021-11-27.csv"


def read(source: BarSource) -> Columns:
    """Join all batches of a source."""
    parts = list(source.batches())
    names = ("open_ns", "open", "high", "low", "close", "volume")
    return Columns(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def opened(path: Path, price: str = "mid", zone: str | None = None, scale: float = 1) -> BarSource:
    """Open with price mid unless said otherwise."""
    return open_bars(BarFileSpec(path=path, symbol="X", price=price, zone=zone, scale=scale))


def same(found: Columns, reference: Columns) -> bool:
    """Say whether every bar found is in the reference, equal in every field."""
    place = np.searchsorted(reference.open_ns, found.open_ns)
    names = ("open_ns", "open", "high", "low", "close", "volume")
    return all(
        np.array_equal(getattr(found, name), getattr(reference, name)[place]) for name in names
    )


def test_histdata_across_the_us_change() -> None:
    """1500 HistData rows over 2017-03-12, in New York time, equal the established UTC bars."""
    data = shared_data()
    source = opened(data / HISTDATA, zone="America/New_York")
    found = read(source)
    assert len(found) == 1500
    assert source.refused == []
    assert same(found, read(opened(data / "bars/fx_eurusd_1m_2017q1.parquet")))


def test_mt5_across_both_changes() -> None:
    """MT5 server time is EET; prices are thousandths here, so scale 1000 gives the bars exactly."""
    data = shared_data()
    found = read(opened(data / MT5, zone="Europe/Athens", scale=1000))
    assert len(found) == 430
    assert same(found, read(opened(data / "bars/fx_usdjpy_1h_2020-2021.parquet")))


def test_binance_without_header() -> None:
    """A dump in ms without header: UTC, one minute, nine decimals kept."""
    source = opened(shared_data() / BINANCE)
    found = read(source)
    assert source.dialect == "binance"
    assert utc_text(int(found.open_ns[0])) == "2021-11-27T00:00:00Z"
    assert (found.open[0], found.volume[0]) == (0.00002853, 36304.2)
    assert source.interval_ns == MINUTE_NS


def test_every_file_loads_without_a_refused_row() -> None:
    """All bar files read whole, strictly increasing, with nothing refused (F1, F5)."""
    for path in sorted((shared_data() / "bars").iterdir()):
        both = "bidask" in path.name or "oanda" in path.name
        source = opened(path, "bidask" if both else "mid")
        bars = read(source)
        assert source.refused == [], path.name
        assert bool((np.diff(bars.open_ns) > 0).all()), path.name
        assert len(bars) > 1000


def test_csv_and_parquet_twins_are_equal() -> None:
    """The CSV twin of a Parquet file gives the same bars to the last bit."""
    folder = shared_data() / "bars"
    for name in ("fx_eurusd_5m_2017q1", "eq_spy_1m_2013-10", "idx_nifty50_1m_2019-01"):
        one, two = read(opened(folder / f"{name}.csv")), read(opened(folder / f"{name}.parquet"))
        assert len(one) == len(two)
        assert same(one, two)


def test_refusal_without_a_zone_shows_the_right_one() -> None:
    """The evidence in the refusal names the zone that was established for each file."""
    data = shared_data()
    for name, zone in ((HISTDATA, "America/New_York"), (MT5, "Europe/Athens")):
        with pytest.raises(FeedError, match=f"likely zone: {zone}"):
            opened(data / name)


def test_quarter_of_eurusd_is_described() -> None:
    """Facts known of 2017 Q1: 92939 minutes, 120 absent, FOMC the largest of spikes, UTC week."""
    report = inspect(shared_data() / "bars/fx_eurusd_1m_2017q1.parquet", price="mid")
    assert (report.rows, report.missing, report.refused) == (92939, 120, [])
    assert (report.decimals, report.tick, report.volume) == (5, 0.00001, "always 0")
    assert report.breaks["Fri 21:59 -> Sun 22:00"] == 9
    assert "2017-03-15T18:00:00Z" in [utc_text(s.open_ns) for s in report.largest_spikes]
    assert report.fits[0].zone == "UTC"
    assert report.fits[0].hits == report.fits[0].asked == 24
    assert report.stamp_evidence.startswith("open")
    assert not report.needed
    assert not report.is_bad


def test_sessions_and_ticks_are_described() -> None:
    """NSE hours, the ES tick of 0.25, the chained FXCM bars, a market without a weekly close."""
    folder = shared_data() / "bars"
    yesbank = inspect(folder / "eq_yesbank_1m_2019h1.parquet", price="mid")
    assert {(first, last) for _, first, last in yesbank.sessions} == {("03:45", "10:10")}
    assert yesbank.fits[0].market == "NSE 09:15"
    assert inspect(folder / "fut_es_1m_2013-10.parquet", price="mid").tick == 0.25
    gbpusd = inspect(folder / "fx_gbpusd_1m_2012-02_bidask.parquet", price="bidask")
    assert gbpusd.chained is not None
    assert gbpusd.chained > 0.999
    assert "24/7" in inspect(folder / "crypto_btcperp_1m_2022-01.parquet", price="mid").verdict
    usdjpy = inspect(folder / "fx_usdjpy_1h_2020-2021.parquet", price="mid")
    assert usdjpy.interval_ns == HOUR_NS
    assert usdjpy.verdict == "likely zone: UTC"
