"""Each dialect is recognised by its content and read to the same instants and prices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adapters.feeds.columns import Columns
from adapters.feeds.files.source import BarSource, open_bars
from adapters.feeds.files.spec import BarFileSpec
from state.errors import FeedError
from state.units import MINUTE_NS, utc_text

MT5 = (
    "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\r\n"
    "2021.03.10\t00:00:00\t1.05\t1.07\t1.04\t1.06\t10\t0\t2\r\n"
    "2021.03.10\t00:01:00\t1.06\t1.08\t1.05\t1.07\t20\t0\t2\r\n"
)
BINANCE_ROWS = (
    "{a},1.05,1.07,1.04,1.06,10,{b},1.0,5,1.0,1.0,0\n"
    "{c},1.06,1.08,1.05,1.07,20,{d},1.0,5,1.0,1.0,0\n"
)
BINANCE_HEAD = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore\n"
)
MS = BINANCE_ROWS.format(a=1615334400000, b=1615334459999, c=1615334460000, d=1615334519999)
US = BINANCE_ROWS.format(
    a=1615334400000000, b=1615334459999999, c=1615334460000000, d=1615334519999999
)
TWO = "1.05,1.07,1.04,1.06,10\n{},1.06,1.08,1.05,1.07,20\n"
CASES = {
    "foliod": (
        "foliod",
        "ts,open,high,low,close,volume\n2021-03-10T00:00:00Z," + TWO.format("2021-03-10T00:01:00Z"),
        None,
    ),
    "foliod offset": (
        "foliod",
        "ts,open,high,low,close,volume\n2021-03-10T05:30:00+05:30,"
        + TWO.format("2021-03-10T05:31:00+05:30"),
        None,
    ),
    "foliod wall time": (
        "foliod",
        "\ufeffts,open,high,low,close,volume\n2021-03-09 19:00," + TWO.format("2021-03-09 19:01"),
        "America/New_York",
    ),
    "histdata": (
        "histdata",
        "20210309 190000;1.05;1.07;1.04;1.06;10\n20210309 190100;1.06;1.08;1.05;1.07;20\n",
        "America/New_York",
    ),
    "mt5": ("mt5", MT5, "UTC"),
    "mt5 minutes": ("mt5", MT5.replace(":00\t", "\t"), "UTC"),
    "mt5 commas": (
        "mt5",
        "Date,open,high,low,close,tick_volume\n2021-03-10 02:00:00,"
        + TWO.format("2021-03-10 02:01:00"),
        "Europe/Athens",
    ),
    "binance header ms": ("binance", BINANCE_HEAD + MS, None),
    "binance ms": ("binance", MS, None),
    "binance us": ("binance", US, None),
    "yahoo": (
        "yahoo",
        "Datetime,Open,High,Low,Close,Volume\n2021-03-10 00:00:00+00:00,"
        + TWO.format("2021-03-10 00:01:00+00:00"),
        None,
    ),
    "twelvedata newest first": (
        "yahoo",
        "datetime;open;high;low;close;volume\n2021-03-09 19:01:00;1.06;1.08;1.05;1.07;20\n"
        "2021-03-09 19:00:00;1.05;1.07;1.04;1.06;10\n",
        "America/New_York",
    ),
}


def read(source: BarSource) -> Columns:
    """Join all batches of a source."""
    parts = list(source.batches())
    names = ("open_ns", "open", "high", "low", "close", "volume")
    return Columns(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def opened(path: Path, **settings: object) -> BarSource:
    """Open with price mid unless said otherwise."""
    values = {"symbol": "X", "price": "mid", **settings}
    return open_bars(BarFileSpec(path=path, **values))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", list(CASES))
def test_dialect_reads_the_same_two_bars(name: str, tmp_path: Path) -> None:
    """Whatever the dialect, the same two minutes come out (F1); its file name says nothing."""
    dialect, text, zone = CASES[name]
    path = tmp_path / "bars.txt"
    path.write_text(text, encoding="utf-8", newline="")
    source = opened(path, zone=zone, stamp="open")
    bars = read(source)
    assert source.dialect == dialect
    assert source.interval_ns == MINUTE_NS
    assert [utc_text(int(at)) for at in bars.open_ns] == [
        "2021-03-10T00:00:00Z",
        "2021-03-10T00:01:00Z",
    ]
    assert bars.open.tolist() == [1.05, 1.06]
    assert bars.high.tolist() == [1.07, 1.08]
    assert bars.low.tolist() == [1.04, 1.05]
    assert bars.close.tolist() == [1.06, 1.07]
    assert bars.volume.tolist() == [10.0, 20.0]
    assert source.refused == []


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case[2] is not None])
def test_wall_time_without_zone_is_refused(name: str, tmp_path: Path) -> None:
    """Stamps without an offset and no zone: refused, naming the setting and the evidence (F1)."""
    path = tmp_path / "bars.csv"
    path.write_text(CASES[name][1], encoding="utf-8", newline="")
    with pytest.raises(FeedError) as refused:
        opened(path, stamp="open")
    assert "no zone is set; set zone" in str(refused.value)
    assert "Evidence:" in str(refused.value)


def test_yahoo_daily_dates_need_no_stamp(tmp_path: Path) -> None:
    """A date is the start of its day in the zone, winter and summer; Adj Close is not read."""
    path = tmp_path / "spy.csv"
    path.write_text(
        "Date,Open,High,Low,Close,Adj Close,Volume\n"
        "2021-03-11,10,11,9,10.5,8.0,100\n2021-03-12,10,11,9,10.5,8.0,100\n"
        "2021-03-15,10,11,9,10.5,8.0,100\n"
    )
    source = opened(path, zone="America/New_York")
    bars = read(source)
    assert [utc_text(int(at)) for at in bars.open_ns] == [
        "2021-03-11T05:00:00Z",
        "2021-03-12T05:00:00Z",
        "2021-03-15T04:00:00Z",
    ]
    assert bars.close.tolist() == [10.5, 10.5, 10.5]


def test_yahoo_times_need_a_stamp(tmp_path: Path) -> None:
    """Times under borrowed column names do not say open or close: refused until set (F1)."""
    path = tmp_path / "bars.csv"
    path.write_text(CASES["yahoo"][1])
    with pytest.raises(FeedError, match="set stamp = 'open' or 'close'"):
        opened(path)


def test_close_stamps_move_back_by_the_interval(tmp_path: Path) -> None:
    """stamp close: a row stamped 00:01 opened 00:00."""
    path = tmp_path / "bars.csv"
    path.write_text(CASES["foliod"][1])
    bars = read(opened(path, stamp="close"))
    assert utc_text(int(bars.open_ns[0])) == "2021-03-09T23:59:00Z"


def test_bid_and_ask_move_to_mid_by_half_the_spread(tmp_path: Path) -> None:
    """Spread 0.02: a bid of 1.05 is a mid of 1.06, an ask of 1.05 a mid of 1.04 (I3)."""
    path = tmp_path / "bars.csv"
    path.write_text(CASES["foliod"][1])
    assert read(opened(path, price="bid", spread=0.02)).open[0] == pytest.approx(1.06)
    assert read(opened(path, price="ask", spread=0.02)).open[0] == pytest.approx(1.04)
    with pytest.raises(FeedError, match="no spread is set"):
        opened(path, price="bid")


def test_both_sides_are_averaged_field_by_field(tmp_path: Path) -> None:
    """bidask: mid = (bid + ask)/2 of each field; any other side is refused then (I3)."""
    path = tmp_path / "bars.csv"
    path.write_text(
        "ts,open,high,low,close,ask_open,ask_high,ask_low,ask_close\n"
        "2021-03-10T00:00:00Z,1.0,2.0,0.5,1.5,1.5,2.5,1.0,1.5\n"
        "2021-03-10T00:01:00Z,1.0,2.0,0.5,1.5,1.5,0.5,1.0,1.5\n"
    )
    source = opened(path, price="bidask")
    bars = read(source)
    assert (bars.open[0], bars.high[0], bars.low[0], bars.close[0]) == (1.25, 2.25, 0.75, 1.5)
    assert [(r.reason, r.first) for r in source.refused] == [
        ("HIGH_TOO_LOW", "line 3: ask_high 0.5 is below ask_open 1.5")
    ]
    with pytest.raises(FeedError, match="set price = 'bidask'"):
        opened(path, price="mid")


def test_bidask_without_ask_columns_is_refused(tmp_path: Path) -> None:
    """price bidask needs both sides in the file."""
    path = tmp_path / "bars.csv"
    path.write_text(CASES["foliod"][1])
    with pytest.raises(FeedError, match="no columns ask_open"):
        opened(path, price="bidask")


def test_interval_must_be_the_files(tmp_path: Path) -> None:
    """A 5m series is not declared over a 1m file, nor 30s: the message names the file's step."""
    path = tmp_path / "bars.csv"
    path.write_text(CASES["foliod"][1])
    for wrong in (5 * MINUTE_NS, MINUTE_NS // 2):
        with pytest.raises(FeedError, match="set interval = '1m'"):
            opened(path, interval_ns=wrong)
    assert opened(path, interval_ns=MINUTE_NS).interval_ns == MINUTE_NS


def test_all_wrong_settings_are_told_at_once(tmp_path: Path) -> None:
    """Every mistake of the settings is named in one refusal, with the nearest known name."""
    with pytest.raises(FeedError) as refused:
        opened(tmp_path / "x", price="bids", dialect="histdat", zone="America/NewYork", stamp="end")
    text = str(refused.value)
    assert "did you mean 'bid'" in text
    assert "did you mean 'histdata'" in text
    assert "did you mean 'America/New_York'" in text
    assert "set one of open, close" in text


def test_zone_beside_instants_is_refused(tmp_path: Path) -> None:
    """Stamps that are instants and a zone that is not theirs: one of the two is a mistake."""
    path = tmp_path / "bars.csv"
    path.write_text(CASES["foliod"][1])
    with pytest.raises(FeedError, match="remove zone"):
        opened(path, zone="America/New_York")


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    """batches() begins anew, and so does the account of refused rows."""
    path = tmp_path / "bars.csv"
    path.write_text(CASES["foliod"][1] + "2021-03-10T00:01:00Z,1,1,1,1,1\n")
    source = opened(path)
    first, second = read(source), read(source)
    assert first.open_ns.tolist() == second.open_ns.tolist()
    assert [(r.reason, r.count) for r in source.refused] == [("DUPLICATE", 1)]


def test_batches_are_cut_to_size(tmp_path: Path) -> None:
    """No batch is longer than asked, and nothing is lost at the cuts."""
    path = tmp_path / "bars.csv"
    rows = "".join(f"2021-03-10T{h:02d}:{m:02d}Z,1,1,1,1,\n" for h in range(4) for m in range(60))
    path.write_text("ts,open,high,low,close,volume\n" + rows)
    sizes = [len(part) for part in opened(path).batches(rows=100)]
    assert sizes == [100, 100, 40]
    assert np.isnan(read(opened(path)).volume).all()
