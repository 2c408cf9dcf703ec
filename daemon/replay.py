"""The replay runner: bar files through the core at full speed, into a run folder of their own.

It owns the order of work (read, step, commit per simulated day, report) and nothing that decides.
The loop waits for each day's commit, so a journal never lags behind what was decided by more than
a day, and signals are heard between days.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import signal
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import BinaryIO, Final

import msgspec

from adapters.feeds.merge import Slice, merge, series_bytes
from adapters.feeds.resample import interval_text
from adapters.ports import Clock
from config.fingerprint import fingerprint
from config.settings import Settings
from daemon.core.status import FILES
from daemon.core.status_board import StatusBoard
from daemon.runtime.bar_files import BarFiles
from daemon.runtime.consumed import Consumed
from daemon.runtime.instants import instants
from daemon.runtime.run_folder import BarsNote, InputNote, Manifest, RunFolder, free_name, run_stem
from daemon.runtime.run_inputs import input_notes
from daemon.runtime.run_views import RunViews
from daemon.runtime.snapshots import snapshot_of
from daemon.runtime.stepper import Stepper
from daemon.runtime.version import VERSION
from daemon.wiring import Core, build, intervals_of, run_facts
from state import codec
from state.entries import BarsRefused, Entry, InstrumentSet, RunEnded, RunStarted
from state.errors import FeedError, FoliodError
from state.journal import BufferedSink
from state.units import NEVER_NS, utc_text
from state.writer import Writer

SLICE_ROWS: Final = 16_384
"""Bars made into objects at a time: large enough to be fast, small enough to keep memory flat."""

RUN_ID_BYTES: Final = 6
_STOPPING: Final = (signal.SIGINT, signal.SIGTERM)
LOG_BYTES: Final = 1 << 20
"""A replayed day begins new log files only after this much: years would make thousands of them."""
GC_OBJECTS: Final = 100_000
"""New objects between two searches for cycles while a replay runs."""


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What the command line adds to the settings.

    ``from_ns``: bars closing at or before it only warm up; ``to_ns``: bars closing after it are
    left out. ``run_dir`` None: a new folder below ``runs``. ``blocks`` gets framed status objects.
    ``progress`` is told (bars so far, instant reached) after each simulated day.
    """

    from_ns: int = 0
    to_ns: int = NEVER_NS
    close_at_end: bool = False
    run_dir: Path | None = None
    blocks: BinaryIO | None = None
    command: str = "foliod replay"
    progress: Callable[[int, int], None] | None = None
    config_text: str = ""
    strategies_folder: Path = field(default_factory=Path)


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """How a replay ended: ``reason`` as in RunEnded; ``bars`` counts all series'."""

    folder: Path
    run_id: str
    reason: str
    bars: int
    first_ns: int
    last_ns: int


def run_id_of(
    config_hash: str, files: BarFiles, inputs: list[InputNote], options: ReplayOptions
) -> str:
    """Return the run's id: a function of configuration, input files, code version and options."""
    content = hashlib.blake2b(digest_size=RUN_ID_BYTES)
    parts = [VERSION, config_hash, str(options.from_ns), str(options.to_ns)]
    parts += [str(options.close_at_end)]
    parts += sorted(f"{one.symbol}={one.digest}" for one in files.files)
    parts += sorted(f"{one.kind}={one.digest}" for one in inputs)
    content.update("\0".join(parts).encode())
    return "r" + content.hexdigest()


class Replay:
    """One replay run, from open files to a finished folder."""

    def __init__(self, settings: Settings, options: ReplayOptions, clock: Clock) -> None:
        """Open the bar files, wire the core, take the run folder.

        Raises:
            FoliodError: settings, files, strategies or the folder cannot be used.
        """
        self._settings = settings
        self.options = options
        self._clock = clock
        self._files = BarFiles(settings, intervals_of(settings))
        self._core: Core = build(settings, self._files.keys(), options.strategies_folder)
        self._config_hash = fingerprint(settings)
        self._inputs = input_notes(settings, options.strategies_folder)
        self.run_id = run_id_of(self._config_hash, self._files, self._inputs, options)
        runs = Path(os.path.normpath(settings.portfolio.data_dir / "runs"))
        folder = options.run_dir or free_name(runs, run_stem(clock.now_ns(), self.run_id))
        self._folder = RunFolder(folder, options.command, clock.now_ns())
        self._manifest = self._first_manifest()
        self._sink = BufferedSink()
        self._stop = False
        self._bars = 0
        self._first_ns = self._now_ns = 0

    def _first_manifest(self) -> Manifest:
        return Manifest(
            run_id=self.run_id,
            portfolio_id=self._settings.portfolio.id,
            mode="replay",
            version=VERSION,
            config_hash=self._config_hash,
            state="running",
            started=utc_text(self._clock.now_ns()),
            bars=[
                BarsNote(
                    one.symbol,
                    str(one.path.absolute()),
                    interval_text(one.source.interval_ns),
                    one.digest,
                )
                for one in self._files.files
            ],
            options={
                "from_ns": self.options.from_ns,
                "to_ns": self.options.to_ns,
                "close_at_end": self.options.close_at_end,
            },
            inputs=self._inputs,
        )

    @property
    def unused(self) -> list[str]:
        """The symbols of configured bar files that nothing uses."""
        return self._files.unused

    def span(self) -> tuple[int, int]:
        """Return about where the history begins and ends, for a progress bar; 0: not known."""
        first, last = self._files.span()
        return max(first, self.options.from_ns), min(last, self.options.to_ns)

    async def run(self) -> ReplayResult:
        """Run to the end of the history, or until interrupted.

        Raises:
            FoliodError: the journal cannot be written, a file goes wrong, the books do not balance;
                the manifest then says ``failed`` and why.
        """
        # Not the loop's own handlers: those wait for the loop, and a strategy that never returns
        # would keep it from them.
        before = {one: signal.signal(one, self._on_signal) for one in _STOPPING}
        try:
            self._folder.write_manifest(self._manifest)
            if self.options.config_text:
                (self._folder.folder / "config.toml").write_text(self.options.config_text)
            return await self._run()
        except FoliodError as error:
            self._end("failed", str(error))
            raise
        except KeyboardInterrupt:
            self._end("interrupted", "INTERRUPTED")
            raise
        except BaseException as error:
            self._end("failed", f"{type(error).__name__}: {error}")
            raise
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)
            self._folder.close()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """Stop after the day in hand; asked again, stop at once, whatever is at work."""
        if self._stop:
            raise KeyboardInterrupt
        self.stop()

    def stop(self) -> None:
        """Ask the run to end after the simulated day in hand."""
        self._stop = True

    def _end(self, state: str, reason: str) -> None:
        manifest = self._manifest
        manifest.state, manifest.reason = state, reason
        manifest.ended = utc_text(self._clock.now_ns())
        if self._first_ns:
            manifest.first = utc_text(self._first_ns)
            manifest.last = utc_text(max(self._now_ns, self._first_ns))
        self._folder.write_manifest(manifest)

    async def _run(self) -> ReplayResult:
        # What is wired lives as long as the run, and a slice of bars is freed by reference counts:
        # looking through both for cycles at every 700 objects would be a tenth of the time.
        gc.freeze()
        before = gc.get_threshold()
        gc.set_threshold(GC_OBJECTS, *before[1:])
        try:
            return await self._write()
        finally:
            gc.set_threshold(*before)
            gc.unfreeze()

    async def _write(self) -> ReplayResult:
        with Writer(self._folder.database, "NORMAL") as writer:
            self._writer = writer
            slices = merge(self._files.feeds(), SLICE_ROWS)
            first = next(slices, None)
            if first is None:
                raise FeedError("the bar files hold no bar; nothing to replay")
            await self._begin(first)
            try:
                return await self._step_through(first, slices)
            except BaseException:
                self._views.drop()
                raise

    async def _step_through(self, first: Slice, slices: Iterator[Slice]) -> ReplayResult:
        reason = await self._history(first)
        if reason == "END_OF_HISTORY":
            for part in slices:
                reason = await self._history(part)
                if reason != "END_OF_HISTORY":
                    break
        if not self._now_ns:
            raise FeedError(self._nothing_in_range(first))
        await self._finish(reason)
        return ReplayResult(
            self._folder.folder, self.run_id, reason, self._bars, self._first_ns, self._now_ns
        )

    def _nothing_in_range(self, first: Slice) -> str:
        begin, options = utc_text(int(first.open_ns[0])), self.options
        return (
            f"no bar closes after {utc_text(options.from_ns)} (--from) and up to "
            f"{utc_text(options.to_ns)} (--to): the bars begin at {begin}"
        )

    async def _begin(self, first: Slice) -> None:
        """Open the portfolio at the open of the first bar that is not warm-up."""
        settings, core = self._settings, self._core
        self._first_ns = max(int(first.open_ns[0]), self.options.from_ns)
        facts = run_facts(settings, mode="replay", source=FILES, since_ns=self._first_ns)
        open_pnl = core.desk.valuation.open_pnl
        board = StatusBoard(facts, core.engine_facts, core.market, open_pnl, core.pace)
        self._views = views = RunViews(
            self._folder.folder,
            board,
            core.portfolio,
            [(engine.symbol, engine.name) for engine in core.engines],
            portfolio_id=settings.portfolio.id,
            run_id=self.run_id,
            blocks=self.options.blocks,
            least_bytes=LOG_BYTES,
        )

        def tell(now_ns: int) -> int:
            views.inputs.last_bar_ns = now_ns
            views.inputs.bars = self._bars
            views.changed(now_ns)
            return views.due_ns

        self._stepper = Stepper(
            core.desk,
            core.timers,
            core.broker,
            self._sink,
            commands=core.commands,
            start_cash=settings.portfolio.equity,
            zone=settings.portfolio.zone,
            portfolio_id=settings.portfolio.id,
            high_water=core.drawdown.mark_at,
            observers=[views.take],
            on_change=tell,
        )
        self._lanes = [self._stepper.lanes[series.key] for series in core.market.series]
        self._consumed = Consumed([series.key for series in core.market.series])
        opening: list[Entry] = [
            InstrumentSet(self._first_ns, core.grids[symbol].instrument)
            for symbol in sorted(core.grids)
        ]
        opening.append(
            RunStarted(self._first_ns, self.run_id, VERSION, "replay", self._config_hash)
        )
        await self._stepper.start(self._first_ns, opening)

    async def _history(self, part: Slice) -> str:
        """Step through one slice; return END_OF_HISTORY, or why to stop early."""
        stepper, options = self._stepper, self.options
        starts, closes, pairs = instants(part, self._lanes)
        warm = bisect_right(closes, options.from_ns)
        stop = bisect_right(closes, options.to_ns)
        for number in range(warm):
            await stepper.warm(pairs[starts[number] : starts[number + 1]])
        done, begin = 0, warm
        while begin < stop:
            # One simulated day at a time: the loop over a day's instants does nothing but step.
            # The instant that ends a day, or the first one after it, rolls it.
            day_end_ns = stepper.day_end_ns
            end = max(begin + 1, bisect_right(closes, day_end_ns, begin, stop))
            for now_ns, first, last in zip(
                closes[begin:end], starts[begin:end], starts[begin + 1 : end + 1], strict=True
            ):
                stepper.step(now_ns, pairs[first:last])
            self._now_ns = closes[end - 1]
            begin = end
            if stepper.day_end_ns != day_end_ns:
                self._consume(part, done, starts[end])
                done = starts[end]
                await self._commit()
                if self._stop:
                    return "INTERRUPTED"
        self._consume(part, done, starts[stop])
        return "END_OF_HISTORY" if stop == len(closes) else "END_OF_RANGE"

    def _consume(self, part: Slice, begin: int, end: int) -> None:
        """Count and digest bars that were stepped; the next commit journals them."""
        for index, count, last_ns, packed in series_bytes(part, begin, end):
            self._consumed.update(index, count, last_ns, packed)
        self._bars += end - begin

    async def _record_consumed(self) -> None:
        """Journal which bars were consumed: what stands for them in the journal."""
        for entry in self._consumed.entries(max(self._now_ns, self._first_ns)):
            await self._stepper.record(entry)

    async def _commit(self) -> None:
        """Make everything so far durable, then let the files say it."""
        await self._record_consumed()
        entries = self._sink.drain()
        if entries:
            await asyncio.wrap_future(self._writer.submit(entries))
        self._views.flush()
        if self.options.progress is not None:
            self.options.progress(self._bars, self._now_ns)

    async def _finish(self, reason: str) -> None:
        stepper = self._stepper
        now_ns = max(self._now_ns, self._first_ns)
        close = self.options.close_at_end or self._settings.replay.close_at_end
        complete = reason != "INTERRUPTED"
        if complete:
            await stepper.finish(now_ns, close_at_end=close)
        for symbol, refused in self._files.refused():
            await stepper.record(
                BarsRefused(now_ns, symbol, refused.reason, refused.count, refused.first)
            )
        await self._record_consumed()
        await stepper.record(RunEnded(now_ns, self.run_id, reason))
        self._views.inputs.bars = self._bars
        self._views.tell(now_ns)
        await self._commit()
        self._views.close()
        core = self._core
        kept = snapshot_of(core.portfolio, core.engines, core.market, core.drawdown)
        snapshot = codec.encode_snapshot(kept)
        await asyncio.wrap_future(self._writer.snapshot(self._sink.seq, now_ns, snapshot))
        self._end("complete" if complete else "interrupted", reason)


def read_manifest(folder: Path) -> Manifest:
    """Read a run's manifest.

    Raises:
        FeedError: there is none, or it is damaged.
    """
    path = folder / "run.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise FeedError(f"{folder} is no run folder: it has no run.json") from None
    except (OSError, msgspec.MsgspecError) as error:
        raise FeedError(f"{path} cannot be read: {error}") from error
