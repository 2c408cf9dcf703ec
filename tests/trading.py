"""A portfolio at work for tests: stepped without a loop, stopped or dropped wherever wanted."""

from __future__ import annotations

from pathlib import Path

from adapters.feeds.demo import write_demo
from config.load import load
from config.settings import Settings
from daemon.runtime.at_once import at_once
from daemon.trading import Hooks, Trading
from state import codec
from state.entries import Entry, RunEnded, RunStarted
from state.journal import read
from tests.builders import ROOT

LIFE = (RunStarted, RunEnded)
"""Entries that tell of processes, and so differ between an unbroken run and a broken one."""


def demo_settings(folder: Path) -> Settings:
    """Write the demo below ``folder`` and return its settings, without its scheduled commands."""
    write_demo(folder / "bars")
    path = folder / "foliod.toml"
    text = (ROOT / "config" / "examples" / "demo.toml").read_text()
    path.write_text(text[: text.index("# An operator's days")])
    return load([path], {})


def start(settings: Settings, home: Path, hooks: Hooks | None = None) -> Trading:
    """Bring the portfolio in ``home`` up and record that a run begins."""
    home.mkdir(parents=True, exist_ok=True)
    trading = Trading(settings, home, Path(), hooks or Hooks())
    at_once(trading.begin_run())
    return trading


def go_on(trading: Trading, instants: int) -> int:
    """Step so many instants, as far as there are any; return how many."""
    done = 0
    while done < instants and trading.coming() is not None:
        at_once(trading.step(trading.take()))
        done += 1
    return done


def go_to(trading: Trading, now_ns: int) -> None:
    """Step every instant up to ``now_ns``."""
    while (coming := trading.coming()) is not None and coming.now_ns <= now_ns:
        at_once(trading.step(trading.take()))


def finish(trading: Trading) -> None:
    """Step to the end of the history and end in order."""
    go_on(trading, 1 << 40)
    at_once(trading.end_history())
    trading.close()


def decisions(home: Path) -> list[bytes]:
    """Return the journal's entries without those of processes' lives, as bytes."""
    return [codec.encode(one) for one in journal_of(home) if not isinstance(one, LIFE)]


def journal_of(home: Path) -> list[Entry]:
    """Return the journal's entries."""
    return [entry for _, entry in read(home / "foliod.db")]
