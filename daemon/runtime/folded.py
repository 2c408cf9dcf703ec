"""A journal without a usable snapshot: the snapshot that it would have, made by folding it.

The rule: up to the journal's last boundary (``daemon.runtime.boundary``) nothing is decided again.
The entries up to there are folded into the portfolio, each held to its link in the chain; the bars
up to there are shown to series and engines, each series held to the digests that the journal has of
it; what rests in the books, the alarms, the day's peak and the drawdown's mark follow from both.
What comes out is equal, field for field, to the snapshot that was taken there, and whoever takes it
decides the entries after it again, as after any snapshot. Where anything is in doubt there is
nothing: the whole journal is decided again then. It works on a core of its own, which is thrown
away, reads no clock and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final

import msgspec

from adapters.brokers.paper import Guard
from daemon.core.engine import Engine
from daemon.runtime.boundary import Boundary, Group, last_boundary
from daemon.runtime.consumed import Consumed, bar_bytes
from daemon.runtime.instants import BarSource
from daemon.runtime.lane import Lane, lanes_of
from daemon.runtime.recovery import Parts, Work
from daemon.runtime.stepper_state import StepperState, deepened
from daemon.runtime.traceback_text import RAISED
from state import codec, failpoints
from state.bars import Bar
from state.codec import Snapshot
from state.orders import Intent
from state.portfolio import Position, engine_key

_NO_BAR: Final = -1

Kept = tuple[int, Snapshot, Work]
"""The entry that a snapshot follows, the snapshot, and what its ``work`` holds."""


def fold(
    rows: Iterator[tuple[int, bytes]],
    source: BarSource,
    symbols: Collection[str],
    config_hash: str,
    build: Callable[[], Parts],
) -> Kept | None:
    """Return the snapshot of a journal's last boundary; None: decide the whole journal again.

    ``rows`` are the journal from its first entry. ``symbols`` have instruments under the
    configuration of ``config_hash``; ``build`` wires a core under it, to be thrown away.

    Raises:
        JournalError: an entry cannot be read.
        LedgerError: an entry contradicts what is already true.
        FoliodError: the bars cannot be read, a strategy cannot be made.
    """
    boundary = last_boundary(rows, config_hash)
    failpoints.hit("recovery.folded")
    return None if boundary is None else _snapshot(boundary, source, symbols, build())


def _snapshot(
    boundary: Boundary, source: BarSource, symbols: Collection[str], parts: Parts
) -> Kept | None:
    desk, portfolio = parts.desk, codec.decode_snapshot(boundary.portfolio).portfolio
    parts.take(portfolio)
    for key in portfolio.quarantined.keys() & desk.engines.keys():
        desk.engines[key].quarantined = True
    shown = _Shown(boundary, parts)
    if not shown.take(source):
        return None
    _let_rest(parts)
    parts.timers.start(boundary.end_of_day_ns)
    parts.timers.restore((parts.timers.state()[0], boundary.rearmed_ns))
    parts.drawdown.derive(portfolio, has_looked=boundary.is_marked)
    config_hash, version = portfolio.made_by
    work = Work(
        config_hash=config_hash,
        version=version,
        stepper=_stepped(boundary, parts),
        timers=parts.timers.state(),
        made_of=dict(parts.made_of),
        books=parts.books(),
        consumed=shown.consumed.state(),
        consumed_ns=boundary.at_ns,
        day_end_ns=desk.clock.day_start_ns(portfolio.day + 1),
        instruments={
            one: instrument for one, instrument in boundary.instruments.items() if one in symbols
        },
    )
    kept = codec.decode_snapshot(codec.encode_snapshot(parts.snapshot(work)))
    return boundary.seq, kept, msgspec.json.decode(kept.work, type=Work)


def _stepped(boundary: Boundary, parts: Parts) -> StepperState:
    """Return what the stepper knows: its day begins at the roll, the watches looked once since."""
    equity = parts.desk.marks(boundary.at_ns).equity
    peak, fall = deepened(float(boundary.rolled.end_equity), 0.0, equity)
    return StepperState(boundary.at_ns, peak, fall, boundary.marked, parts.desk.portfolio.cash)


class _Shown:
    """Shows the bars up to a boundary to series and engines, and counts what was consumed."""

    def __init__(self, boundary: Boundary, parts: Parts) -> None:
        lanes = lanes_of(parts.desk, parts.broker)
        self._boundary = boundary
        self._lanes = [lanes[series.key] for series in parts.desk.market.series]
        self._bars: dict[Lane, list[Bar]] = {lane: [] for lane in self._lanes}
        self.consumed = Consumed([lane.series.key for lane in self._lanes])
        for lane in self._lanes:
            lane.engines = [one for one in lane.engines if not one.quarantined]

    def take(self, source: BarSource) -> bool:
        """Show them; say whether they are those that the journal says were consumed."""
        groups = iter(self._boundary.groups)
        group, last_ns = next(groups), 0
        opened_ns, at_ns = self._boundary.opened_ns, self._boundary.at_ns
        for now_ns, bars in source.instants(self._lanes, -1):
            if now_ns > at_ns:
                break
            while now_ns > group.at_ns:
                if not self._holds(group):
                    return False
                group = next(groups)
            for lane, bar in bars:
                lane.update(bar)
                if now_ns > opened_ns:
                    self._bars[lane].append(bar)
                for engine in lane.engines:
                    try:
                        engine.on_bar(bar)
                    except RAISED:
                        self._leave_out(lane, engine)
            last_ns = now_ns
        return last_ns == at_ns == group.at_ns and self._holds(group, is_last=True)

    @staticmethod
    def _leave_out(lane: Lane, engine: Engine) -> None:
        """Let the snapshot lack an engine; whoever shows it the bars again says why."""
        engine.quarantined = True
        lane.engines = [one for one in lane.engines if one is not engine]

    def _holds(self, group: Group, *, is_last: bool = False) -> bool:
        """Say whether the bars since the group before are this one's, and begin anew.

        A series that the configuration did not have then is in no group of that time.
        """
        expected = []
        for place, (lane, bars) in enumerate(self._bars.items()):
            kept = group.bars.get(lane.series.key)
            if kept is not None:
                expected.append(kept)
                if bars:
                    packed = b"".join(map(bar_bytes, bars))
                    self.consumed.update(place, len(bars), bars[-1].open_ns, packed)
            elif bars and is_last:
                return False
            bars.clear()
        return self.consumed.entries(group.at_ns) == expected


def _let_rest(parts: Parts) -> None:
    """Put into the books what rests in them according to the portfolio."""
    desk, portfolio = parts.desk, parts.desk.portfolio
    orders: dict[str, list[Intent]] = {}
    for order in portfolio.orders.values():
        intent = order.intent
        orders.setdefault(engine_key(intent.symbol, intent.strategy), []).append(intent)
    for key in sorted(orders.keys() | portfolio.positions.keys()):
        engine, position = desk.engines[key], portfolio.positions.get(key)
        mine = orders.get(key, [])
        entry = next((one for one in mine if one.purpose == "entry"), None)
        parts.broker.books[(engine.symbol, engine.interval_ns)].rest(
            engine.name,
            entry=entry,
            filled=portfolio.orders[entry.intent_id].filled if entry else 0,
            exits=tuple(one for one in mine if one.purpose == "exit"),
            guard=None if position is None else _guard(position),
            entered_ns=_NO_BAR if position is None else _entered_ns(position, parts),
        )


def _guard(position: Position) -> Guard:
    assert position.stop_ticks is not None
    return Guard(
        position.trade_id, position.side, position.lots, position.stop_ticks, position.target_ticks
    )


def _entered_ns(position: Position, parts: Parts) -> int:
    """Return the open of the bar that an entry filled in; a fill at a close is in none."""
    is_at_close = parts.desk.costs.fill_at_close and position.entry_bar_ns == position.entry_ns
    return _NO_BAR if is_at_close else position.entry_bar_ns
