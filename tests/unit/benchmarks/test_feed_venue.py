"""The benchmark of live feeds measures the bars that it sends."""

from __future__ import annotations

import msgspec

from adapters.feeds.wire import BarUpdate
from benchmarks.feed_venue import Order, VenueCodec, Wire, bar_of, symbol_of
from state.units import SECOND_NS


def test_a_frame_decodes_to_the_true_bar_and_its_stamp() -> None:
    """What is timed is the bar of the frame, as the soak checks it."""
    order = Order(symbols=5, interval_ns=SECOND_NS, per_s=0, count=1)
    codec, bar = VenueCodec(order), bar_of(12345, SECOND_NS)
    prices = (bar.open, bar.high, bar.low, bar.close)

    events = codec.decode(msgspec.json.encode(Wire(3, 12345, prices, 99)))

    assert events == (BarUpdate(symbol_of(3), SECOND_NS, bar, True),)
    assert codec.latest_x == 99
    assert [msgspec.json.decode(one, type=Order) for one in codec.hello()] == [order]
