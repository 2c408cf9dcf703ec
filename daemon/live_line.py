"""A live line: the source of a portfolio's bars, its session and its recording, from open to close.

A live run never falls back to history: bars of files and of the source's history only warm a new
portfolio up, and fill gaps.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from adapters.feeds.backoff import Chance
from adapters.feeds.recorder import Recorder
from adapters.feeds.recording import segments
from adapters.feeds.session import FeedSession
from adapters.ports import Clock
from config.settings import Settings
from daemon.feed_wiring import FeedParts, feed_parts, make_session
from daemon.feeding import Ask, Command, LiveFeed, Step
from daemon.runtime.recorded import FOLDER, RecordedBars
from daemon.runtime.run_folder import DATABASE
from daemon.runtime.run_log import RunLog
from daemon.runtime.tasks.clocks import RunClock
from daemon.trading import Trading
from daemon.warm_up import warm_up
from state.errors import FeedError


class LiveLine:
    """What a daemon holds of a live source while it works.

    ``begin_ns`` is where a new portfolio begins; ``bars`` what was recorded so far.
    """

    session: FeedSession

    def __init__(
        self,
        settings: Settings,
        home: Path,
        parts: FeedParts,
        recorder: Recorder,
        clock: Clock,
        chance: Chance,
    ) -> None:
        """Bind what was opened."""
        self._settings = settings
        self._parts = parts
        self._recorder = recorder
        self._clock = clock
        self._chance = chance
        self._frames = (
            Recorder(home / FOLDER, is_durable=False, kind="frames")
            if settings.feed.record_frames
            else None
        )
        self._feed: LiveFeed | None = None
        self.source = parts.source
        self.begin_ns = clock.now_ns()
        self.bars = RecordedBars(home / FOLDER, parts.keys, parts.interval_ns)

    def feed(
        self,
        trading: Trading,
        clock: RunClock,
        wall: Clock,
        step: Step,
        command: Command,
        desk: Ask,
        log: RunLog,
    ) -> LiveFeed:
        """Read the recording to its end and make the session and the feed.

        Raises:
            ConfigError: a symbol's hours or intervals cannot be had from this source.
        """
        left = list(trading.rest())
        recent = {symbol: tuple(bars) for symbol, bars in self.bars.recent.items()}
        on_frame = self._frames.add_frame if self._frames is not None else None
        self.session = make_session(
            self._settings, self._parts, wall, wall.now_ns(), recent, self._chance, on_frame
        )
        grace_s = self._settings.feed.bar_grace_ms / 1000
        self._feed = LiveFeed(
            trading,
            self.session,
            self._recorder,
            clock,
            wall,
            step,
            command,
            desk,
            log,
            grace_s,
            left,
        )
        return self._feed

    def sync(self) -> None:
        """Return when every bar stepped so far is on the disk; called by the journal's writer.

        Raises:
            OSError: the disk does not take it.
        """
        self._recorder.sync()

    def close(self) -> None:
        """Close the recording."""
        self._recorder.close()
        if self._frames is not None:
            self._frames.close()


async def open_line(
    settings: Settings, home: Path, clock: Clock, chance: Chance, say: Callable[[str], None]
) -> LiveLine:
    """Open the recording, and warm a new portfolio up; the line itself is opened later.

    Call it after ``check_home``: bars without a database are then those of a warm-up that did not
    come to its end, and it is begun anew.

    Raises:
        ConfigError: the source, a secret or a symbol cannot be used.
        FeedError: the recording is damaged, or cannot be written.
    """
    parts = feed_parts(settings, os.environ)
    folder = home / FOLDER
    is_new = not (home / DATABASE).exists()
    if is_new and folder.is_dir() and (left := segments(folder)):
        try:
            for path in left:
                path.unlink()
        except OSError as problem:
            raise FeedError(f"{folder}: {problem.strerror}; nothing was begun") from problem
        say("the warm-up of an earlier start did not come to its end: begun anew")
    recorder = Recorder(folder, is_durable=False)
    if recorder.repaired:
        say(recorder.repaired)
    line = LiveLine(settings, home, parts, recorder, clock, chance)
    if is_new:
        await warm_up(settings, parts, recorder, line.begin_ns, say)
        recorder.sync()
    return line
