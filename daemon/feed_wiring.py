"""Settings to a live feed: source, codec, address, hours, history. It opens nothing.

A live run never falls back to history: where no source can be used, it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapters.feeds.address import Address
from adapters.feeds.backfill import RestHistory, RestLimits
from adapters.feeds.backoff import Chance
from adapters.feeds.bar_policy import PolicyLimits
from adapters.feeds.expected import AlwaysOpen, CivilHours, MarketHours, fx_hours
from adapters.feeds.intake import Intake
from adapters.feeds.line import LineLimits, Opener
from adapters.feeds.selection import choose_source
from adapters.feeds.series import SeriesRules, SeriesSpec
from adapters.feeds.session import FeedSession, SessionLimits
from adapters.feeds.stream import StreamOpener
from adapters.feeds.websocket import WebsocketOpener
from adapters.feeds.wire import Codec, History
from adapters.ports import Clock
from config.catalogue import base_asset
from config.secrets import Secrets
from config.settings import Settings
from config.settings_feed import GenericFeed
from daemon.runtime.recorded import FOLDER, RecordedBars
from daemon.wiring import holidays_of, intervals_of, secrets_of
from state.bars import Bar
from state.errors import ConfigError, FeedError
from state.instruments import Instrument
from state.units import MINUTE_NS

_MS: Final = 1_000_000
_FIAT: Final = frozenset(
    {
        "AUD", "CAD", "CHF", "CNH", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "INR", "JPY", "MXN",
        "NOK", "NZD", "PLN", "SEK", "SGD", "THB", "TRY", "USD", "ZAR", "XAG", "XAU", "XPD", "XPT",
    }
)  # fmt: skip
"""Currencies and metals of the week from Sunday evening to Friday evening, New York time."""


@dataclass(frozen=True, slots=True)
class FeedParts:
    """What a live feed is made of, for one source.

    ``interval_ns`` is that of the source's own bars, ``keys`` the series that the core needs.
    ``rest`` is where the history is asked, redacted; empty without one.
    """

    source: str
    codec: Codec
    opener: Opener
    history: RestHistory | None
    interval_ns: int
    keys: frozenset[tuple[str, int]]
    secrets: tuple[str, ...]
    rest: str = ""


def series_keys(settings: Settings) -> frozenset[tuple[str, int]]:
    """Return the series that a live feed must deliver: engines' and conversion pairs'."""
    needed = intervals_of(settings)
    keys = {(symbol, one) for symbol, intervals in needed.items() for one in intervals}
    pairs = set(settings.conversion.pairs.values()) - needed.keys()
    return frozenset(keys | {(symbol, MINUTE_NS) for symbol in pairs})


def recorded_source(settings: Settings, home: Path) -> tuple[RecordedBars | None, int | None]:
    """Return the recording of a portfolio whose bars came over a line, None where they did not.

    The second is where it began: what the journal says counts, so any instant will do.
    """
    if not settings.feed.is_live:
        return None, None
    return RecordedBars(home / FOLDER, series_keys(settings), 0), 0


def feed_parts(settings: Settings, environ: Mapping[str, str]) -> FeedParts:
    """Choose the source and make its codec, its line's opener and its history.

    Raises:
        ConfigError: the source, a secret, an address or a symbol cannot be used.
    """
    feed = settings.feed
    source = choose_source(feed.source, feed.configured())
    keys = series_keys(settings)
    symbols = sorted({symbol for symbol, _ in keys})
    names = {
        one: feed.symbols.names.get(one) or _usual_name(settings, source, one) for one in symbols
    }
    unknown = sorted(set(feed.symbols.names) - set(symbols))
    if unknown:
        raise ConfigError(f"[feed.symbols] names {', '.join(unknown)}, which nothing uses")
    made = _MAKERS[source](settings, secrets_of(settings, environ), names)
    history, rest = None, ""
    if made.history is not None and made.rest is not None and feed.fill_bars:
        history = RestHistory(
            _Asked(made.history, made.rest), RestLimits(), made.rest.headers, made.secrets
        )
        rest = str(made.rest)
    return FeedParts(
        source, made.codec, made.opener, history, made.interval_ns, keys, made.secrets, rest
    )


def make_session(
    settings: Settings,
    parts: FeedParts,
    clock: Clock,
    start_ns: int,
    recent: Mapping[str, tuple[Bar, ...]],
    chance: Chance,
    on_frame: Callable[[int, bytes | str], None] | None,
) -> FeedSession:
    """Make the session of a feed that goes on after ``recent`` bars of its own interval.

    ``chance`` draws the pauses between two tries to connect; no decision depends on it.

    Raises:
        ConfigError: a symbol needs bars finer than the source's, or its hours are not known.
    """
    feed = settings.feed
    limits = PolicyLimits(
        skew_ns=feed.clock_skew_ms * _MS,
        grace_ns=feed.bar_grace_ms * _MS,
        collar=float(feed.collar),
        collar_confirm_bars=feed.collar_confirm_bars,
    )
    rules = SeriesRules(parts.interval_ns, limits, parts.history is not None, feed.fill_bars)
    specs = [
        series_spec(settings, parts, symbol, recent.get(symbol, ()))
        for symbol in sorted({symbol for symbol, _ in parts.keys})
    ]
    side = parts.codec.side if parts.codec.side in ("bid", "ask") else "mid"
    try:
        intake = Intake(specs, rules, start_ns, side)
    except ValueError as problem:
        raise ConfigError(f"feed: {problem}") from problem
    return FeedSession(
        parts.codec,
        parts.opener,
        intake,
        clock,
        chance,
        SessionLimits(silent_after_s=feed.silent_after_s),
        parts.history,
        parts.secrets,
        on_frame,
    )


def series_spec(
    settings: Settings, parts: FeedParts, symbol: str, recent: tuple[Bar, ...]
) -> SeriesSpec:
    """Return what is expected and made of one symbol.

    Raises:
        ConfigError: it needs bars finer than the source's, or its hours are not known.
    """
    instrument = settings.instrument(symbol)
    own_ns = parts.interval_ns
    wanted = sorted(interval for one, interval in parts.keys if one == symbol)
    finer = [one for one in wanted if one % own_ns]
    if finer:
        raise ConfigError(
            f"{symbol}: bars of {finer[0] // 10**9} s cannot be made of the source's bars of"
            f" {own_ns // 10**9} s"
        )
    half = float(instrument.spread_pips * instrument.pip) / 2
    shift = {"bid": half, "ask": -half}.get(parts.codec.side, 0.0)
    coarser = tuple(one for one in wanted if one != own_ns)
    return SeriesSpec(symbol, hours_of(settings, instrument), coarser, shift, recent)


def hours_of(settings: Settings, instrument: Instrument) -> MarketHours:
    """Return when a symbol is expected to trade.

    Raises:
        ConfigError: its exchange has no hours here, or its calendar cannot be used.
    """
    symbol, calendar = instrument.symbol, instrument.calendar
    holidays = None if calendar is None else holidays_of(calendar, settings.portfolio.data_dir)
    for one in settings.feed.hours:
        if symbol in one.symbols:
            return CivilHours(one.zone, one.start, one.end, one.weekday_numbers, holidays)
    if calendar is not None:
        raise ConfigError(
            f"{symbol} trades at {calendar}: say its hours in a [[feed.hours]] table with symbols,"
            " start, end and zone"
        )
    return fx_hours() if _is_currency(instrument) else AlwaysOpen()


def _is_currency(instrument: Instrument) -> bool:
    return instrument.quote_currency in _FIAT and base_asset(instrument) in _FIAT


def _usual_name(settings: Settings, source: str, symbol: str) -> str:
    """Return what a source calls a symbol by its custom."""
    instrument = settings.instrument(symbol)
    base, quote = base_asset(instrument), instrument.quote_currency
    if base is None or not _is_currency(instrument):
        return symbol
    customs = {
        "oanda": f"{base}_{quote}",
        "finnhub": f"OANDA:{base}_{quote}",
        "twelvedata": f"{base}/{quote}",
    }
    return customs.get(source, symbol)


# Sources ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Made:
    codec: Codec
    opener: Opener
    secrets: tuple[str, ...] = ()
    history: History | None = None
    rest: Address | None = None
    interval_ns: int = MINUTE_NS


class _Asked:
    """A venue's history codec with the address that it is asked at."""

    def __init__(self, history: History, rest: Address) -> None:
        self._history = history
        self._rest = rest
        self.max_bars = history.most

    def request(self, symbol: str, interval_ns: int, from_ns: int, to_ns: int) -> str:
        """Return the URL that answers with the bars opening in a span."""
        return self._rest.url(self._history.request(symbol, interval_ns, from_ns, to_ns))

    def parse(self, answer: bytes, symbol: str, interval_ns: int) -> list[Bar]:
        """Return the bars of an answer.

        Raises:
            FeedError: it is not what the venue documents.
        """
        try:
            return list(self._history.decode(answer, interval_ns))
        except FeedError:
            raise
        except Exception as problem:
            raise FeedError(f"{symbol}: {problem}") from problem


def _binance(settings: Settings, _: Secrets, names: dict[str, str]) -> _Made:
    from adapters.feeds.binance import address
    from adapters.feeds.binance.codec import BinanceCodec
    from adapters.feeds.binance.history import BinanceHistory

    given = settings.feed.binance
    assert given is not None
    stream = address.stream(given.market, given.url or "")
    return _Made(
        BinanceCodec(names),
        WebsocketOpener(stream.url(), LineLimits()),
        history=BinanceHistory(names, given.market),
        rest=address.rest(given.market, given.rest_url or ""),
    )


def _finnhub(settings: Settings, secrets: Secrets, names: dict[str, str]) -> _Made:
    from adapters.feeds.finnhub import address
    from adapters.feeds.finnhub.codec import FinnhubCodec
    from adapters.feeds.finnhub.history import FinnhubHistory

    given = settings.feed.finnhub
    assert given is not None
    key = secrets.get(given.key).reveal()
    stream = address.stream(key, given.url or "")
    return _Made(
        FinnhubCodec(names, given.side),
        WebsocketOpener(stream.url(), LineLimits(), stream.headers, [key]),
        (key,),
        FinnhubHistory(names, given.side, given.market),
        address.rest(key, given.rest_url or ""),
    )


def _twelvedata(settings: Settings, secrets: Secrets, names: dict[str, str]) -> _Made:
    from adapters.feeds.twelvedata import address
    from adapters.feeds.twelvedata.codec import TwelveDataCodec
    from adapters.feeds.twelvedata.history import TwelveDataHistory

    given = settings.feed.twelvedata
    assert given is not None
    key = secrets.get(given.key).reveal()
    stream = address.stream(key, given.url or "")
    return _Made(
        TwelveDataCodec(names, given.side),
        WebsocketOpener(stream.url(), LineLimits(), stream.headers, [key]),
        (key,),
        TwelveDataHistory(names, given.side),
        address.rest(key, given.rest_url or ""),
    )


def _oanda(settings: Settings, secrets: Secrets, names: dict[str, str]) -> _Made:
    from adapters.feeds.oanda import address
    from adapters.feeds.oanda.codec import OandaCodec
    from adapters.feeds.oanda.history import OandaHistory

    given = settings.feed.oanda
    assert given is not None
    token = secrets.get(given.token).reveal()
    stream = address.stream(
        given.account, token, names.values(), is_real=given.real, base=given.url or ""
    )
    return _Made(
        OandaCodec(names),
        StreamOpener(stream.url(), LineLimits(), stream.headers, [token]),
        (token,),
        OandaHistory(names),
        address.rest(token, is_real=given.real, base=given.rest_url or ""),
    )


def _generic(settings: Settings, secrets: Secrets, names: dict[str, str]) -> _Made:
    from adapters.feeds.generic import address
    from adapters.feeds.generic.codec import GenericCodec

    given = settings.feed.generic
    assert given is not None
    key = "" if given.key is None else secrets.get(given.key).reveal()
    codec = GenericCodec(
        names,
        _fields(given),
        interval_ns=given.interval_ns,
        side=given.side,
        subscribe=given.subscribe,
        key=key,
    )
    stream = address.stream(given.url, key)
    opener = WebsocketOpener(stream.url(), LineLimits(), stream.headers, [key] if key else [])
    return _Made(codec, opener, (key,) if key else (), interval_ns=given.interval_ns)


def _fields(given: GenericFeed) -> Any:  # noqa: ANN401  imported with its codec
    from adapters.feeds.generic.messages import Fields

    return Fields(
        open_time=given.open_time,
        open=given.open,
        high=given.high,
        low=given.low,
        close=given.close,
        unit=given.unit,
        volume=given.volume,
        symbol=given.symbol,
        closed=given.closed,
        bars=given.bars,
    )


_MAKERS: Final[dict[str, Callable[[Settings, Secrets, dict[str, str]], _Made]]] = {
    "binance": _binance,
    "finnhub": _finnhub,
    "twelvedata": _twelvedata,
    "oanda": _oanda,
    "generic": _generic,
}
