"""The daemon's own log: one JSON object per line, each with portfolio, run and journal number.

What trades, fills and denials there were is in the journal; this says how the process fares. It is
given names and figures, never settings as a whole, so that no secret can be in it.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import structlog

from adapters.ports import Clock
from state.units import utc_text


class RunLog:
    """Writes lines to a stream; ``scope`` gives what every line has, asked for each line."""

    def __init__(
        self, stream: TextIO, clock: Clock, scope: Callable[[], dict[str, str | int]]
    ) -> None:
        """Begin; the lines' ``ts`` is this clock's."""

        def stamp(_: object, method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
            return {
                "ts": utc_text(clock.now_ns()),
                "level": method,
                "event": event.pop("event"),
                **scope(),
                **event,
            }

        self._log: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
            structlog.PrintLogger(stream),
            processors=[stamp, structlog.processors.JSONRenderer()],
            wrapper_class=structlog.make_filtering_bound_logger("info"),
        )

    def info(self, event: str, **facts: str | float | list[str] | None) -> None:
        """Say what happened."""
        self._log.info(event, **facts)

    def warning(self, event: str, **facts: str | float | list[str] | None) -> None:
        """Say what a person should look at."""
        self._log.warning(event, **facts)

    def error(self, event: str, **facts: str | float | list[str] | None) -> None:
        """Say what ended or hindered the work."""
        self._log.error(event, **facts)
