"""Settings of live feeds: which source, how it is reached, how patient it is (F2-F7).

Nothing here decides what a strategy does with a bar; bars are recorded, and decided on again from
the recording. So nothing here is part of the fingerprint. Secrets are named, never written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, StrictBool, ValidationInfo, field_validator

from config.section import Section
from config.settings_strategies import SYMBOL, WEEKDAYS, Weekday
from config.types import (
    Exact,
    IntervalName,
    Real,
    SecretName,
    TimeOfDay,
    Whole,
    Word,
    ZoneName,
    interval_s,
    refuse,
)
from state.units import SECOND_NS

FILES: Final = "files"
SOURCES: Final = ("oanda", "finnhub", "twelvedata", "binance", "generic")

_ADDRESS: Final = Word(r"(wss?|https?)://\S{1,500}", "an address such as wss://example.org/bars")
_NAME: Final = Word(r"\S{1,64}", "a venue's name of a symbol, without blanks")
_PATH: Final = Word(r"\S{0,200}", "names joined by dots, such as k.o")
Side = Literal["bid", "ask", "mid", "trade"]


class FeedSymbols(Section):
    """What the venue calls a symbol: ``EURUSD = "EUR_USD"``.

    Absent: currency pairs and metals by the source's custom, every other symbol by its own name.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[str, _NAME]]

    @property
    def names(self) -> Mapping[str, str]:
        """Venue's name by symbol."""
        return dict(sorted((self.__pydantic_extra__ or {}).items()))


class FeedHours(Section):
    """When symbols trade: bars are expected then, and silence is a fault.

    Absent: currencies and metals from Sunday 17:00 to Friday 17:00 New York time, others always.
    The holidays of a symbol's `calendar` are taken away.
    """

    symbols: tuple[Annotated[str, SYMBOL], ...] = Field(
        min_length=1, description="Symbols with these hours."
    )
    start: Annotated[int, TimeOfDay()] = Field(description="Local time of the open.")
    end: Annotated[int, TimeOfDay(until_24=True)] = Field(description="Local time of the close.")
    zone: Annotated[str, ZoneName()] = Field(description="Time zone of the two.")
    weekdays: tuple[Weekday, ...] = Field(
        default=("mon", "tue", "wed", "thu", "fri"), min_length=1, description="Days of a session."
    )

    @property
    def weekday_numbers(self) -> frozenset[int]:
        """Weekdays as numbers, Monday 0."""
        return frozenset(WEEKDAYS.index(day) for day in self.weekdays)

    @field_validator("end")
    @classmethod
    def _after_start(cls, end: int, info: ValidationInfo) -> int:
        start = info.data.get("start")
        if start is not None and end <= start:
            raise refuse("a session ends after it starts, on the same local day")
        return end


class BinanceFeed(Section):
    """Binance's klines; needs no key."""

    market: Literal["spot", "futures"] = Field(default="spot", description="Which market.")
    url: Annotated[str, _ADDRESS] | None = Field(
        default=None, description="Another base address of the stream, without a path."
    )
    rest_url: Annotated[str, _ADDRESS] | None = Field(
        default=None, description="Another base address of the history."
    )


class FinnhubFeed(Section):
    """Finnhub's trades."""

    key: Annotated[str, SecretName()] = Field(
        default="finnhub_key", description="Secret that holds the key."
    )
    market: Literal["stock", "forex", "crypto"] = Field(
        default="forex", description="Which candles fill gaps."
    )
    side: Side = Field(description="What its prices are. No default.")
    url: Annotated[str, _ADDRESS] | None = Field(
        default=None, description="Another base address of the stream."
    )
    rest_url: Annotated[str, _ADDRESS] | None = Field(
        default=None, description="Another base address of the history."
    )


class TwelveDataFeed(Section):
    """Twelve Data's prices."""

    key: Annotated[str, SecretName()] = Field(
        default="twelvedata_key", description="Secret that holds the key."
    )
    side: Side = Field(description="What its prices are. No default.")
    url: Annotated[str, _ADDRESS] | None = Field(
        default=None, description="Another base address of the stream."
    )
    rest_url: Annotated[str, _ADDRESS] | None = Field(
        default=None, description="Another base address of the history."
    )


class OandaFeed(Section):
    """OANDA's price stream, bid and ask."""

    account: Annotated[str, Word("[0-9A-Za-z-]{1,64}", "an account")] = Field(
        description="The account that the stream is asked for."
    )
    token: Annotated[str, SecretName()] = Field(
        default="oanda_token", description="Secret that holds the token."
    )
    real: StrictBool = Field(default=False, description="`true`: a real account, not practice.")
    url: Annotated[str, _ADDRESS] | None = Field(
        default=None, description="Another base address of the stream."
    )
    rest_url: Annotated[str, _ADDRESS] | None = Field(
        default=None, description="Another base address of the history."
    )


class GenericFeed(Section):
    """A websocket that sends bars as JSON, their fields found by name; it has no history."""

    url: Annotated[str, _ADDRESS] = Field(description="Address of the socket.")
    interval: Annotated[str, IntervalName()] = Field(
        default="1m", description="Length of its bars."
    )
    side: Side = Field(description="What its prices are. No default.")
    key: Annotated[str, SecretName()] | None = Field(
        default=None, description="Secret for `{key}` in `subscribe`."
    )
    subscribe: str = Field(
        default="",
        max_length=2000,
        description="What to send after connecting; `{symbol}`, `{symbols}`, `{key}` are filled.",
    )
    open_time: Annotated[str, _PATH] = Field(default="t", description="Path of a bar's open time.")
    unit: Literal["s", "ms", "us", "ns", "iso"] = Field(
        default="ms", description="Unit of the open time."
    )
    open: Annotated[str, _PATH] = Field(default="o", description="Path of the open.")
    high: Annotated[str, _PATH] = Field(default="h", description="Path of the high.")
    low: Annotated[str, _PATH] = Field(default="l", description="Path of the low.")
    close: Annotated[str, _PATH] = Field(default="c", description="Path of the close.")
    volume: Annotated[str, _PATH] = Field(default="", description="Path of the volume, if any.")
    symbol: Annotated[str, _PATH] = Field(
        default="", description="Path of the symbol; may be absent for one symbol."
    )
    closed: Annotated[str, _PATH] = Field(
        default="", description="Path of the flag that says that a bar is closed; absent: all are."
    )
    bars: Annotated[str, _PATH] = Field(
        default="", description="Path of the object, or list of objects, that has the others."
    )

    @property
    def interval_ns(self) -> int:
        """Length of its bars in nanoseconds."""
        return (interval_s(self.interval) or 0) * SECOND_NS


class Feed(Section):
    """Where bars come from in `foliod run`: the files of `[[bars]]`, or a live source."""

    source: Literal["files", "auto", "oanda", "finnhub", "twelvedata", "binance", "generic"] = (
        Field(
            default="files",
            description="`files` replays `[[bars]]` at the pace of `--speed`. `auto` takes the "
            "first configured of oanda, finnhub, twelvedata, binance, generic.",
        )
    )
    bar_grace_ms: Annotated[int, Whole(ge=0, le=60_000)] = Field(
        default=500, description="How long after its end a bar is waited for."
    )
    clock_skew_ms: Annotated[int, Whole(ge=0, le=60_000)] = Field(
        default=2000, description="How far ahead of this machine's clock a stamp may be."
    )
    collar: Annotated[Decimal, Exact(ge=0, le=1)] = Field(
        default=Decimal(0),
        description="Largest move from the last close, as a fraction of it; 0: any.",
    )
    collar_confirm_bars: Annotated[int, Whole(ge=0, le=100)] = Field(
        default=3, description="So many bars off the collar in a row prove a move; 0: never."
    )
    silent_after_s: Annotated[float, Real(ge=1, le=86_400)] = Field(
        default=120.0,
        description="Seconds without a price of any open symbol after which a line is dead.",
    )
    fill_bars: Annotated[int, Whole(ge=0, le=100_000)] = Field(
        default=1500, description="Most bars of a gap asked of the source's history; 0: none."
    )
    warm_up_bars: Annotated[int, Whole(ge=0, le=100_000)] = Field(
        default=500,
        description="Bars shown to each engine before a new portfolio trades, from `[[bars]]` and "
        "the source's history; fewer are said.",
    )
    record_frames: StrictBool = Field(
        default=False, description="Keep what the venue sent, too, as it came."
    )
    symbols: FeedSymbols = Field(default_factory=lambda: FeedSymbols.model_validate({}))
    hours: tuple[FeedHours, ...] = ()
    binance: BinanceFeed | None = None
    finnhub: FinnhubFeed | None = None
    twelvedata: TwelveDataFeed | None = None
    oanda: OandaFeed | None = None
    generic: GenericFeed | None = Field(default=None, validate_default=True)

    @property
    def is_live(self) -> bool:
        """Whether bars come over a line."""
        return self.source != FILES

    def configured(self) -> frozenset[str]:
        """Return the sources that have a section."""
        return frozenset(name for name in SOURCES if getattr(self, name) is not None)

    @field_validator("generic")
    @classmethod
    def _source_has_its_section(
        cls, generic: GenericFeed | None, info: ValidationInfo
    ) -> GenericFeed | None:
        source = info.data.get("source")
        there = {name for name in SOURCES if info.data.get(name) is not None}
        if generic is not None:
            there.add("generic")
        if source == "auto" and not there:
            raise refuse(f'source = "auto" needs a section: one of {", ".join(SOURCES)}')
        if source in SOURCES and source not in there:
            raise refuse(f'source = "{source}" needs the section [feed.{source}]')
        return generic
