"""Messages for people, made of journal entries and of what happens to the process.

It is fed with every entry right after it was applied, and hands its messages to ``offer``, which
never waits. It decides nothing and keeps no more than what is open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from adapters.ports import Message
from state.entries import (
    EngineQuarantined,
    Entry,
    Filled,
    HaltCleared,
    HaltSet,
    HealthJudged,
    KillChanged,
)
from state.ledger import trade_r
from state.portfolio import Portfolio, Position, engine_key
from state.units import NEVER_NS, side_name, utc_text

OFF: Final = "off"
HEALTH: Final = "health"


class Announcer:
    """Makes the messages of one portfolio.

    ``levels`` has a level for each event, of the names in ``[notify.levels]``; ``off`` makes none.
    """

    def __init__(
        self, portfolio: Portfolio, levels: Mapping[str, str], offer: Callable[[Message], None]
    ) -> None:
        """Bind. Until ``started`` nothing is told: recovery decides again what was told before."""
        self._portfolio = portfolio
        self._levels = levels
        self._offer = offer
        self._has_begun = False
        self._open: dict[str, Position] = {}
        self._makers: dict[type, Callable[[Any], None]] = {
            Filled: self._filled,
            HaltSet: self._halt,
            HaltCleared: self._cleared,
            KillChanged: self._kill,
            EngineQuarantined: self._quarantined,
            HealthJudged: self._judged,
        }

    def take(self, seq: int, entry: Entry) -> None:
        """Make the message of entry number ``seq``, which was just applied, if it has one."""
        make = self._makers.get(type(entry)) if self._has_begun else None
        if make is not None:
            make(entry)

    def started(self, lines: list[str], at_ns: int) -> None:
        """Say that the daemon came up, and what it found; entries are told from now on."""
        self._has_begun = True
        self._open = {one.trade_id: one for one in self._portfolio.positions.values()}
        self._say("start", "start", "started", "\n".join(lines), at_ns)

    def stopped(self, reason: str, at_ns: int) -> None:
        """Say that the daemon ended in order."""
        self._say("stop", "stop", f"stopped: {reason}", self._book(), at_ns)

    def failed(self, problem: str, at_ns: int) -> None:
        """Say that something failed; the same problem folds."""
        self._say("error", f"error/{problem[:200]}", "error", problem, at_ns)

    def reported(self, date: str, text: str, picture: Path | None, at_ns: int) -> None:
        """Hand out the report of a day, with its picture."""
        path = "" if picture is None else str(picture.absolute())
        self._say("report", f"report/{date}", f"report of {date}", text, at_ns, path)

    # Entries ------------------------------------------------------------------------------------

    def _filled(self, entry: Filled) -> None:
        held = self._portfolio.positions.get(engine_key(entry.symbol, entry.strategy))
        if held is not None and held.trade_id == entry.trade_id:
            self._open[entry.trade_id] = held
            return
        closed = self._open.pop(entry.trade_id, None)
        if closed is not None:
            self._closed(closed, entry)

    def _closed(self, trade: Position, entry: Filled) -> None:
        net, r = trade.realised - trade.fees, trade_r(trade)
        currency = self._portfolio.base_currency
        result = f"{r:+.2f} R, {net:+,.2f} {currency}"
        day = self._portfolio.days.get(entry.day)
        today = f"\nToday: {day.r:+.2f} R in {day.trades} trades." if day else ""
        title = f"{trade.symbol} {trade.strategy} {result}"
        text = (
            f"{side_name(trade.side)} {trade.symbol} by {trade.strategy} closed"
            f" ({entry.reason or entry.leg}): {result}.{today}"
        )
        self._say("trade", f"trade/{entry.trade_id}", title, text, entry.at_ns)

    def _halt(self, entry: HaltSet) -> None:
        until = "" if entry.until_ns == NEVER_NS else f", until {utc_text(entry.until_ns)}"
        seen = f" (observed {entry.observed}, limit {entry.limit})" if entry.observed else ""
        text = f"{entry.code}: {entry.reason}{seen}{until}.\n{self._book()}"
        event = HEALTH if entry.name == HEALTH else "halt"
        self._say(event, f"halt/{entry.name}", f"halted: {entry.name}", text, entry.at_ns)

    def _cleared(self, entry: HaltCleared) -> None:
        key = f"resume/{entry.name}"
        self._say("resume", key, f"halt lifted: {entry.name}", entry.reason, entry.at_ns)

    def _kill(self, entry: KillChanged) -> None:
        if entry.level == "none":
            title = "kill switch lifted"
            self._say("resume", "resume/kill", title, entry.reason, entry.at_ns)
            return
        text = f"{entry.reason}.\n{self._book()}\nLift it: foliod reset kill"
        self._say("kill", "kill", f"kill switch: {entry.level}", text, entry.at_ns)

    def _quarantined(self, entry: EngineQuarantined) -> None:
        key = engine_key(entry.symbol, entry.strategy)
        text = f"{entry.error}\nIt decides nothing more; its position stays protected."
        self._say("quarantine", f"quarantine/{key}", f"quarantined: {key}", text, entry.at_ns)

    def _judged(self, entry: HealthJudged) -> None:
        if entry.problems and entry.action == "alert":
            text = "\n".join(entry.problems)
            self._say(HEALTH, "health", "the health gate says no", text, entry.at_ns)

    def _book(self) -> str:
        """Say in one line what is open, and the day so far."""
        portfolio = self._portfolio
        day = portfolio.days.get(portfolio.day)
        r = day.r if day is not None else 0.0
        return (
            f"{len(portfolio.positions)} positions and {len(portfolio.orders)} orders open,"
            f" today {r:+.2f} R."
        )

    def _say(
        self, event: str, key: str, title: str, text: str, at_ns: int, picture: str = ""
    ) -> None:
        level = self._levels.get(event, OFF)
        if level == OFF:
            return
        portfolio = self._portfolio
        self._offer(
            Message(
                at_ns=at_ns,
                level=level,
                event=event,
                key=key,
                title=f"{portfolio.portfolio_id}: {title}",
                text=text,
                portfolio_id=portfolio.portfolio_id,
                picture=picture,
                id=f"{portfolio.portfolio_id}-{portfolio.seq}-{event}",
            )
        )
