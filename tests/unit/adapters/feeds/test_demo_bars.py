"""The demo's files: what they hold, that they can be read back, and that they replace cleanly."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from adapters.feeds.columns import Columns
from adapters.feeds.demo import DemoFiles, scenarios, write_demo
from adapters.feeds.files.source import open_bars
from adapters.feeds.files.spec import BarFileSpec
from adapters.news import read_events
from state.units import DAY_NS, EPOCH_ORDINAL, HOUR_NS, MINUTE_NS


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoFiles:
    """Write the demo once for this module."""
    return write_demo(tmp_path_factory.mktemp("demo") / "new" / "folder")


def read(path: Path) -> list[Columns]:
    """Read a bar file with nothing but content to go by; no row may be refused."""
    source = open_bars(BarFileSpec(path=path, symbol=path.stem, price="mid"))
    batches = list(source.batches())
    assert source.interval_ns == MINUTE_NS
    assert source.refused == []
    return batches


def test_bars_are_read_back_as_clean_1m_bars_within_the_span(demo: DemoFiles) -> None:
    """Four symbols; every row is a bar; the span is what was said."""
    assert sorted(demo.bars) == ["EURUSD", "GBPUSD", "USDJPY", "XAUUSD"]
    for path in demo.bars.values():
        batches = read(path)
        assert demo.first_ns <= batches[0].open_ns[0] < demo.first_ns + HOUR_NS
        assert demo.end_ns - HOUR_NS < batches[-1].open_ns[-1] < demo.end_ns


def test_bars_of_a_symbol_stop_in_its_outages_only(demo: DemoFiles) -> None:
    """While EURUSD or USDJPY is missing the others go on, so that a rate grows stale."""
    longest = {}
    for symbol, path in demo.bars.items():
        opens = [int(ns) for batch in read(path) for ns in batch.open_ns]
        steps = [(b - a, a) for a, b in pairwise(opens)]
        longest[symbol] = [a for step, a in steps if 2 * HOUR_NS < step < DAY_NS]
    assert {symbol: len(gaps) for symbol, gaps in longest.items()} == {
        "EURUSD": 1,
        "GBPUSD": 0,
        "USDJPY": 2,
        "XAUUSD": 0,
    }


def test_news_can_be_read_and_lies_on_trading_days(demo: DemoFiles) -> None:
    """High, medium and low impact; every event within the span."""
    events = read_events(demo.news)
    assert {event.impact for event in events} == {"high", "medium", "low"}
    assert all(demo.first_ns < event.at_ns < demo.end_ns for event in events)
    assert all(((event.at_ns // DAY_NS) + EPOCH_ORDINAL) % 7 in range(1, 6) for event in events)


def test_writing_again_gives_the_same_bytes_and_leaves_nothing_beside(tmp_path: Path) -> None:
    """A second demo replaces the first one file by file."""
    files = write_demo(tmp_path)
    (tmp_path / "news.csv").write_text("half a fil")
    before = files.bars["USDJPY"].read_bytes()
    again = write_demo(tmp_path)
    assert again == files
    assert again.bars["USDJPY"].read_bytes() == before
    assert again.news.read_text().startswith("date,time_utc,currencies,impact,title\n2024-01-18,")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "EURUSD_1m.csv",
        "GBPUSD_1m.csv",
        "USDJPY_1m.csv",
        "XAUUSD_1m.csv",
        "news.csv",
    ]


def test_every_symbol_has_a_kind_for_every_trading_day() -> None:
    """Six weeks of five days."""
    assert {len(scenario.days) for scenario in scenarios().values()} == {30}
