"""The settings: every key of the configuration, as frozen models.

A key, its field and its row in docs/reference/config.md have one name. Fields are checked where
they stand; rules between sections are in ``config.consistency``. Nothing here reads a file, an
environment variable or a clock. Read-only commands must not import this module: pydantic is slow to
load.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from config.catalogue import instrument
from config.consistency import Facts, Source, Trader, problems
from config.locate import PORTFOLIO_ID, PORTFOLIO_ID_TEXT
from config.section import Section
from config.settings_feed import Feed
from config.settings_operation import Check, Keys, Notify
from config.settings_risk import EndOfDay, Freshness, News, Pacing, Risk
from config.settings_strategies import SYMBOL, StrategySettings
from config.types import (
    Exact,
    Instant,
    IntervalName,
    PathText,
    Real,
    Whole,
    Word,
    ZoneName,
    interval_s,
    refuse,
)
from state.instruments import Instrument
from state.units import SECOND_NS, utc_ns

CURRENCY = Word("[A-Z]{3,5}", 'a currency in capitals such as "USD", "INR" or "USDT"')


class Portfolio(Section):
    """The portfolio: the long-lived scope of positions, limits and reports."""

    id: Annotated[str, Word(PORTFOLIO_ID, PORTFOLIO_ID_TEXT)] = Field(
        description="Name of the portfolio; also the name of its folder."
    )
    base_currency: Annotated[str, CURRENCY] = Field(
        description="Currency of equity, P&L, risk and caps."
    )
    zone: Annotated[str, ZoneName()] = Field(
        default="UTC", description="Time zone of the trading day."
    )
    equity: Annotated[Decimal, Exact(gt=0)] = Field(
        description="Cash the portfolio begins with, in base currency."
    )
    mode: Literal["paper", "live"] = Field(
        default="paper",
        description="`paper` fills orders itself; `live` sends them to a broker (one of two keys).",
    )
    data_dir: Annotated[Path, PathText()] = Field(
        default=Path("var"),
        description="Folder of databases, logs and reports; relative to the configuration file.",
    )


class BarsSettings(Section):
    """A file of bars for replay. Files of one symbol are named once per interval."""

    symbol: Annotated[str, SYMBOL] = Field(description="Symbol the bars are of.")
    path: Annotated[Path, PathText()] = Field(
        description="CSV or Parquet file; relative to the configuration file."
    )
    price: Literal["bid", "ask", "mid", "bidask"] = Field(
        description="Side of the prices; bid and ask move to mid by half the spread. No default."
    )
    interval: Annotated[str, IntervalName()] | None = Field(
        default=None, description="Length of the file's bars; absent: measured from the file."
    )
    dialect: Literal["auto", "foliod", "histdata", "mt5", "binance", "yahoo", "parquet"] = Field(
        default="auto", description="Format of the file; `auto` looks at its content."
    )
    zone: Annotated[str, ZoneName()] | None = Field(
        default=None,
        description="Zone of the stamps; absent: the file must make it evident, or is refused.",
    )
    stamp: Literal["open", "close"] | None = Field(
        default=None,
        description="Whether a stamp is the bar's open or close; absent: must be evident.",
    )

    @property
    def interval_ns(self) -> int | None:
        """Length of the file's bars in nanoseconds, None when to be measured."""
        seconds = interval_s(self.interval) if self.interval is not None else None
        return seconds * SECOND_NS if seconds is not None else None


_PRICE = Exact(gt=0)
_COST = Exact(ge=0)


class InstrumentSettings(Section):
    """What differs from the catalogue for one symbol, or its whole entry.

    A symbol that the catalogue lacks needs ``quote_currency``, ``tick``, ``lot`` and
    ``spread_pips``; its pip is then the tick and its smallest quantity the lot.
    """

    quote_currency: Annotated[str, CURRENCY] | None = Field(
        default=None, description="Currency of the price."
    )
    pip: Annotated[Decimal, _PRICE] | None = Field(
        default=None, description="Price difference called one pip."
    )
    tick: Annotated[Decimal, _PRICE] | None = Field(
        default=None, description="Smallest price step."
    )
    lot: Annotated[Decimal, _PRICE] | None = Field(default=None, description="Quantity step.")
    min_quantity: Annotated[Decimal, _PRICE] | None = Field(
        default=None, description="Smallest quantity; a multiple of `lot`."
    )
    multiplier: Annotated[Decimal, _PRICE] | None = Field(
        default=None, description="Quote currency per price unit and unit of quantity."
    )
    spread_pips: Annotated[Decimal, _COST] | None = Field(
        default=None, description="Full spread in pips; half is paid on each side."
    )
    fee_per_unit: Annotated[Decimal, _COST] | None = Field(
        default=None, description="Fee in base currency per unit of quantity and side."
    )
    fee_fraction: Annotated[Decimal, Exact(ge=0, le=1)] | None = Field(
        default=None, description="Fee per side as a fraction of the order's value."
    )
    min_stop: Annotated[Decimal, _PRICE] | None = Field(
        default=None,
        description="Smallest stop distance in price units; absent: spread + 2 x slippage.",
    )
    calendar: Annotated[
        str | None, Word("[A-Za-z0-9_-]{2,32}", 'an exchange such as "NSE" or "NYSE"', off=True)
    ] = Field(
        default=None,
        description="Exchange whose holidays close the windows; `false`: none.",
    )

    def overrides(self) -> dict[str, Any]:
        """Return the fields that were given, for ``config.catalogue.instrument``."""
        return {name: getattr(self, name) for name in sorted(self.model_fields_set)}


class Conversion(Section):
    """Which pair's last price converts a quote currency to the base currency.

    Every key besides ``stale_after_s`` is a currency, and its value a symbol: ``JPY = "USDJPY"``.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[str, SYMBOL]]

    stale_after_s: Annotated[int, Whole(ge=1, le=604_800)] = Field(
        default=3600,
        description="Age in seconds from which a rate is stale: entries refused, exits pass.",
    )

    @property
    def pairs(self) -> Mapping[str, str]:
        """Conversion symbol by currency, sorted."""
        return dict(sorted((self.__pydantic_extra__ or {}).items()))


class Costs(Section):
    """What a simulated fill costs besides the instrument's spread and fees."""

    slippage_min_pips: Annotated[Decimal, Exact(ge=0, le=10_000)] = Field(
        default=Decimal("1.0"), description="Least slippage of a market or stop fill, in pips."
    )
    slippage_atr_fraction: Annotated[Decimal, Exact(ge=0, le=1)] = Field(
        default=Decimal("0.001"), description="Slippage as a fraction of ATR(14), if that is more."
    )
    fill: Literal["next_open", "close"] = Field(
        default="next_open",
        description="Market orders fill at the next bar's open, or at the deciding bar's close.",
    )


class Sizing(Section):
    """How large a position is."""

    kind: Literal["risk", "fixed"] = Field(
        default="risk", description="`risk`: a fraction of equity; `fixed`: one quantity."
    )
    risk_fraction: Annotated[Decimal, Exact(gt=0, le=0.1)] = Field(
        default=Decimal("0.005"), description="Equity at risk per trade (0.005 is 0.5 %)."
    )
    quantity: Annotated[Decimal, _PRICE] | None = Field(
        default=None,
        validate_default=True,
        description='Quantity of every entry; required with `kind = "fixed"`, refused without.',
    )

    @field_validator("quantity")
    @classmethod
    def _quantity_when_fixed(cls, quantity: Decimal | None, info: ValidationInfo) -> Decimal | None:
        kind = info.data.get("kind")
        if kind == "fixed" and quantity is None:
            raise refuse('kind = "fixed" needs a quantity above 0')
        if kind == "risk" and quantity is not None:
            raise refuse('kind = "risk" does not use it; remove it or set kind = "fixed"')
        return quantity


class ReplayCommand(Section):
    """What an operator does at an instant of the replayed history."""

    at: Annotated[datetime, Instant()] = Field(description="Instant, with offset.")
    command: Literal[
        "halt",
        "resume",
        "kill",
        "kill_flatten",
        "reset_kill",
        "clear_cooldown",
        "deposit",
        "withdraw",
    ] = Field(description="What is done.")
    argument: str = Field(
        default="",
        validate_default=True,
        description="Amount of a deposit or withdrawal; symbol or `loss_streak` of a cooldown.",
    )
    reason: str = Field(default="", max_length=200, description="Why; kept in the journal.")

    @property
    def at_ns(self) -> int:
        """The instant in UTC nanoseconds."""
        return utc_ns(self.at)

    @field_validator("argument")
    @classmethod
    def _argument_fits(cls, argument: str, info: ValidationInfo) -> str:
        command = info.data.get("command")
        if command in ("deposit", "withdraw"):
            try:
                Exact(gt=0).parse(Decimal(argument))
            except (ArithmeticError, PydanticCustomError):
                raise refuse(f'{command} needs an amount above 0 as text, such as "1000"') from None
        elif command == "clear_cooldown" and not argument:
            raise refuse('clear_cooldown needs a symbol or "loss_streak"')
        elif command not in (None, "clear_cooldown") and argument:
            raise refuse(f"{command} takes no argument")
        return argument


class Paper(Section):
    """Imperfections of the paper broker, on request; zero is none."""

    reject_every: Annotated[int, Whole(ge=0, le=1000)] = Field(
        default=0, description="About every n-th entry is rejected; which, is decided by its id."
    )
    partial_fraction: Annotated[Decimal, Exact(ge=0, lt=1)] = Field(
        default=Decimal(0),
        description="Part of an entry that fills first; the rest fills at the next bar's open.",
    )
    latency_s: Annotated[float, Real(ge=0, le=3600)] = Field(
        default=0.0, description="Seconds before a new order is at the market."
    )


class Replay(Section):
    """What happens in a replay besides bars."""

    commands: tuple[ReplayCommand, ...] = Field(
        default=(), description="Commands, each at an instant of the history."
    )
    close_at_end: StrictBool = Field(
        default=False, description="Close open positions at the last close of the history."
    )


class Control(Section):
    """Where the operator reaches a daemon that nothing else reaches."""

    dir: Annotated[Path, PathText()] = Field(
        default=Path("control"),
        description="Folder of the file `KILL_SWITCH`; relative to the configuration file.",
    )


class Settings(BaseModel):
    """All settings. Made by ``config.load.load``; safe to make directly from a dict in tests."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    portfolio: Portfolio
    bars: tuple[BarsSettings, ...] = ()
    instruments: dict[Annotated[str, SYMBOL], InstrumentSettings] = Field(default_factory=dict)
    conversion: Conversion = Field(default_factory=lambda: Conversion.model_validate({}))
    costs: Costs = Field(default_factory=Costs)
    sizing: Sizing = Field(default_factory=Sizing)
    risk: Risk
    pacing: Pacing = Field(default_factory=Pacing)
    news: News = Field(default_factory=News)
    freshness: Freshness = Field(default_factory=Freshness)
    end_of_day: EndOfDay = Field(default_factory=EndOfDay)
    strategies: tuple[StrategySettings, ...]
    paper: Paper = Field(default_factory=Paper)
    replay: Replay = Field(default_factory=Replay)
    control: Control = Field(default_factory=Control)
    keys: Keys = Field(default_factory=Keys)
    feed: Feed = Field(default_factory=Feed)
    notify: Notify = Field(default_factory=Notify)
    check: Check = Field(default_factory=Check)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        found = problems(self._facts())
        if found:
            text = "; ".join(f"{'.'.join(map(str, at))}: {message}" for at, message in found)
            raise PydanticCustomError("inconsistent", "{text}", {"text": text})
        return self

    def _facts(self) -> Facts:
        """Take what ``config.consistency`` compares; every field is valid here."""
        facts = Facts(
            base_currency=self.portfolio.base_currency,
            pairs=dict(self.conversion.pairs),
            no_strategies=not self.strategies,
        )
        for number, source in enumerate(self.bars):
            facts.sources[number] = Source(source.symbol, source.interval)
        for number, strategy in enumerate(self.strategies):
            facts.traders[number] = Trader(strategy.name, strategy.symbols, strategy.interval)
        for symbol, given in self.instruments.items():
            facts.overrides[symbol] = given.overrides()
            facts.described[symbol] = set(given.model_fields_set)
        for number, command in enumerate(self.replay.commands):
            facts.commands[number] = (command.command, command.argument)
        return facts

    def instrument(self, symbol: str) -> Instrument:
        """Return the instrument of a symbol, overrides applied.

        Raises:
            ConfigError: the symbol has no entry.
        """
        given = self.instruments.get(symbol)
        return instrument(symbol, given.overrides() if given is not None else None)

    def symbols(self) -> tuple[str, ...]:
        """Return every symbol in use, sorted: strategies', bars' and conversion pairs'."""
        used = {symbol for strategy in self.strategies for symbol in strategy.symbols}
        used |= {source.symbol for source in self.bars}
        return tuple(sorted(used | set(self.conversion.pairs.values())))
