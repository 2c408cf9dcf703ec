"""The checks of a live feed: source, secrets, hours and intervals, without a socket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from adapters.feeds.resample import interval_text
from adapters.feeds.selection import choose_source
from config.secrets import Secrets
from config.settings import Settings
from daemon.feed_wiring import FeedParts, feed_parts, series_spec
from daemon.runtime.machine import Finding
from daemon.runtime.surroundings import Endpoint
from state.errors import ConfigError, FoliodError
from state.units import DAY_NS, NEVER_NS, utc_text

_WEEK_NS: Final = 7 * DAY_NS
_FEED: Final = "docs/how-to/feeds.md has an example of every source"


def feed_secrets(settings: Settings) -> tuple[str, ...]:
    """Return the names of the secrets that the chosen source needs; none where it cannot be."""
    feed = settings.feed
    if not feed.is_live:
        return ()
    try:
        source = choose_source(feed.source, feed.configured())
    except ConfigError:
        return ()
    given = getattr(feed, source)
    names = (getattr(given, "key", None), getattr(given, "token", None))
    return tuple(one for one in names if one is not None)


def usable_parts(
    settings: Settings, known: Secrets, environ: Mapping[str, str]
) -> FeedParts | ConfigError | None:
    """Make the parts of the feed, or say why not; None where it was said of a secret already."""
    if not settings.feed.is_live:
        return None
    if any(known.fact(name).problem for name in feed_secrets(settings)):
        return None
    try:
        return feed_parts(settings, environ)
    except ConfigError as problem:
        return problem


def feed_endpoints(parts: FeedParts | ConfigError | None) -> list[Endpoint]:
    """Return where the feed's stream is, and its history where gaps are filled from one."""
    if not isinstance(parts, FeedParts):
        return []
    stream = Endpoint(f"feed {parts.source}: stream", parts.opener.address)
    history = Endpoint(f"feed {parts.source}: history", parts.rest)
    return [stream, history] if parts.rest else [stream]


def feed_findings(
    settings: Settings, parts: FeedParts | ConfigError | None, now_ns: int
) -> Iterator[Finding]:
    """Say which source it is, and of every symbol when it is expected and what is made of it."""
    if parts is None:
        return
    if isinstance(parts, ConfigError):
        text = "; ".join(str(parts).splitlines())
        yield Finding("fail", "feed", text, f"correct [feed]; {_FEED}")
        return
    history = "its history fills gaps" if parts.history else "without history: gaps stay"
    own = interval_text(parts.interval_ns)
    found = f"{parts.source} at {parts.opener.address}, bars of {own}, {history}"
    yield Finding("ok", "feed", found)
    for symbol in sorted({one for one, _ in parts.keys}):
        yield _symbol(settings, parts, symbol, now_ns)


def _symbol(settings: Settings, parts: FeedParts, symbol: str, now_ns: int) -> Finding:
    what = f"feed {symbol}"
    try:
        hours = series_spec(settings, parts, symbol, ()).hours
        start_ns, end_ns = hours.session_at(now_ns)
        while end_ns < now_ns + _WEEK_NS and (after := hours.session_at(end_ns))[0] == end_ns:
            end_ns = after[1]  # sessions that touch are one to a reader
    except FoliodError as problem:
        remedy = f"set [[feed.hours]] or the strategy's interval; {_FEED}"
        return Finding("fail", what, "; ".join(str(problem).splitlines()), remedy)
    wanted = ", ".join(interval_text(one) for name, one in sorted(parts.keys) if name == symbol)
    if start_ns >= NEVER_NS:
        remedy = "look at its calendar and at [[feed.hours]]: nothing would be expected of it"
        return Finding("fail", what, f"{wanted}; its market never opens again", remedy)
    if start_ns > now_ns:
        said = f"closed until {utc_text(start_ns)}"
    else:
        said = "always open" if end_ns >= NEVER_NS else f"open until {utc_text(end_ns)}"
    return Finding("ok", what, f"{wanted}; {said}")
