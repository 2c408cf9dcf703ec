"""Warming up: what a new portfolio's engines are shown before it may trade (F7).

Bars come from the configured files and from the source's history, are recorded like every other
bar, and are stepped as warm-up: no wish of a strategy counts. Too few are said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from adapters.feeds.events import FILLED, REPLAYED, BarClosed
from adapters.feeds.recorder import Recorder
from config.settings import Settings
from daemon.feed_wiring import FeedParts
from daemon.runtime.bar_files import BarFiles
from state.bars import Bar
from state.errors import FeedError
from state.units import HOUR_NS

Key = tuple[str, int]


async def warm_up(
    settings: Settings,
    parts: FeedParts,
    recorder: Recorder,
    now_ns: int,
    say: Callable[[str], None],
) -> None:
    """Record the bars that a new portfolio begins with, all closed at ``now_ns`` or before.

    Raises:
        FeedError: they cannot be recorded, or a bar file cannot be read.
    """
    wanted = settings.feed.warm_up_bars
    found: dict[Key, dict[int, tuple[Bar, str]]] = {key: {} for key in parts.keys}
    if wanted:
        _from_files(settings, found, now_ns, say)
        await _from_history(parts, found, wanted, now_ns, say)
    rows: list[BarClosed] = []
    for (symbol, interval_ns), bars in sorted(found.items()):
        kept = [bars[open_ns] for open_ns in sorted(bars)][-wanted:] if wanted else []
        if len(kept) < wanted:
            cold = "" if kept else ": it starts cold"
            interval = f"{interval_ns // 10**9} s{cold}"
            say(f"warm-up: {symbol} has {len(kept)} of {wanted} bars of {interval}")
        rows += [
            BarClosed(symbol, interval_ns, bar, provenance, bar.close_ns)
            for bar, provenance in kept
        ]
    rows += await _own(parts, now_ns, say)
    for row in sorted(rows, key=lambda one: (one.at_ns, one.symbol, one.interval_ns)):
        recorder.add(row)


def _from_files(
    settings: Settings,
    found: dict[Key, dict[int, tuple[Bar, str]]],
    now_ns: int,
    say: Callable[[str], None],
) -> None:
    """Take what the configured files have of each series, and say which series they lack."""
    if not settings.bars:
        return
    needed: dict[str, set[int]] = {}
    for symbol, interval_ns in found:
        needed.setdefault(symbol, set()).add(interval_ns)
    try:
        files = BarFiles(settings, needed, is_whole=False)
    except FeedError as error:
        raise FeedError(
            f"{error}\na new portfolio is warmed up with these files: mend them, or take their"
            " [[bars]] tables away, and it is warmed up with the history of its source alone"
        ) from error
    for problem in files.problems:
        say(f"warm-up without a file: {problem}")
    for feed in files.feeds():
        bars = found.get((feed.symbol, feed.interval_ns))
        if bars is None:
            continue
        for batch in feed.batches:
            rows = zip(
                batch.open_ns.tolist(), batch.open.tolist(), batch.high.tolist(),
                batch.low.tolist(), batch.close.tolist(), batch.volume.tolist(), strict=True,
            )  # fmt: skip
            for open_ns, *prices in rows:
                close_ns = open_ns + feed.interval_ns
                if close_ns <= now_ns:
                    bars[open_ns] = Bar(open_ns, close_ns, *prices), REPLAYED


async def _from_history(
    parts: FeedParts,
    found: dict[Key, dict[int, tuple[Bar, str]]],
    wanted: int,
    now_ns: int,
    say: Callable[[str], None],
) -> None:
    """Ask the source for what is newer than the files, as many bars as are wanted."""
    if parts.history is None:
        return
    for (symbol, interval_ns), bars in sorted(found.items()):
        end_ns = now_ns // interval_ns * interval_ns
        from_ns = end_ns - wanted * interval_ns
        if bars:
            from_ns = max(from_ns, max(bars) + interval_ns)
        for bar in await _ask(parts, (symbol, interval_ns), from_ns, end_ns, say):
            bars[bar.open_ns] = bar, FILLED


async def _own(parts: FeedParts, now_ns: int, say: Callable[[str], None]) -> list[BarClosed]:
    """Return the feed's own bars of the present hour: what the next coarser bar begins with."""
    if parts.history is None:
        return []
    own_ns, rows = parts.interval_ns, []
    end_ns = now_ns // own_ns * own_ns
    for symbol in sorted({one for one, interval_ns in parts.keys if interval_ns != own_ns}):
        bars = await _ask(parts, (symbol, own_ns), end_ns - HOUR_NS, end_ns, say)
        rows += [BarClosed(symbol, own_ns, bar, FILLED, bar.close_ns) for bar in bars]
    return rows


async def _ask(
    parts: FeedParts, key: Key, from_ns: int, to_ns: int, say: Callable[[str], None]
) -> Iterable[Bar]:
    assert parts.history is not None
    if from_ns >= to_ns:
        return []
    try:
        return await parts.history.fetch(key[0], key[1], from_ns, to_ns)
    except FeedError as problem:
        say(f"warm-up: no history of {key[0]}: {problem}")
        return []
