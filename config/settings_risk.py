"""Settings of what supervises: risk, pacing, news, freshness, end of day (R1-R5, P1-P3, W4, T2)."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StrictBool, ValidationInfo, field_validator

from config.section import Section
from config.types import Exact, PathText, Real, TimeOfDay, Whole, refuse

_MINUTES = Whole(ge=0, le=1440)


class StrategyLimits(Section):
    """Limits per strategy and trading day (R2)."""

    trades_per_day: Annotated[int | None, Whole(ge=1, le=1000, off=True)] = Field(
        default=3, description="Entries per strategy and trading day; `false` = off."
    )
    r_stop: Annotated[float | None, Real(lt=0, off=True)] = Field(
        default=-2.0,
        description="A strategy stops for the day at this R or below; `false` = off.",
    )
    win_lock_r: Annotated[float | None, Real(gt=0, off=True)] = Field(
        default=None,
        description="A strategy stops for the day at this R or above; absent or `false` = off.",
    )


class Caps(Section):
    """Portfolio-wide caps (R3). All are required: a cap that nobody chose protects nobody."""

    max_order_value: Annotated[Decimal, Exact(gt=0)] = Field(
        description="Largest value of one order, in base currency."
    )
    max_gross_exposure: Annotated[Decimal, Exact(gt=0)] = Field(
        description="Largest sum of |value| of positions and working orders, in base currency."
    )
    max_positions: Annotated[int, Whole(ge=1, le=10_000)] = Field(
        description="Most positions and working entries at once."
    )
    max_positions_per_symbol: Annotated[int, Whole(ge=1, le=10_000)] = Field(
        description="Most positions and working entries in one symbol at once."
    )


class Drawdown(Section):
    """The drawdown lock (R4)."""

    lock_fraction: Annotated[Decimal | None, Exact(gt=0, lt=1, off=True)] = Field(
        default=Decimal("0.05"),
        description="Fall from the high-water mark that locks entries (0.05 = 5 %); `false` = off.",
    )
    cool_off_m: Annotated[int, Whole(ge=0, le=10_080)] = Field(
        default=120, description="Minutes the lock holds before it re-arms."
    )
    rearm: Literal["auto", "manual"] = Field(
        default="auto", description="`auto`: after the cool-off; `manual`: by an operator, by name."
    )


class Health(Section):
    """The health gate (A4): the portfolio judged by its own days, once at each end of day.

    It is off without a threshold. A measure that is not defined yet passes: `min_days` says from
    when on it is asked.
    """

    min_sharpe: Annotated[float | None, Real(ge=-100, le=100, off=True)] = Field(
        default=None,
        description="Least Sharpe ratio of the daily returns, a year; absent or `false` = off.",
    )
    max_drawdown: Annotated[Decimal | None, Exact(gt=0, lt=1, off=True)] = Field(
        default=None,
        description="Largest fall from a peak of the days' equity (0.1 = 10 %); absent or "
        "`false` = off.",
    )
    min_days: Annotated[int, Whole(ge=2, le=366)] = Field(
        default=20, description="Days that must be known before the gate is asked."
    )
    days: Annotated[int, Whole(ge=2, le=366)] = Field(
        default=60,
        validate_default=True,
        description="Days looked back, the present one included; at least `min_days`.",
    )
    action: Literal["alert", "halt"] = Field(
        default="alert",
        description="`alert`: it is said; `halt`: entries halt too, until `foliod reset health`, "
        "which begins the record of days anew.",
    )

    @property
    def is_on(self) -> bool:
        """Whether a threshold is set."""
        return self.min_sharpe is not None or self.max_drawdown is not None

    @field_validator("days")
    @classmethod
    def _window_holds_enough(cls, days: int, info: ValidationInfo) -> int:
        least = info.data.get("min_days")
        if least is not None and days < least:
            raise refuse(f"{days} days can never be min_days = {least}; raise days")
        return days


class Risk(Section):
    """Limits in R and money (R1-R4)."""

    daily_r_stop: Annotated[float | None, Real(lt=0, off=True)] = Field(
        default=-5.0,
        description="Entries halt for the trading day at this R or below; `false` = off.",
    )
    open_r: StrictBool = Field(default=True, description="Open R at mark counts towards the stop.")
    worst_case: StrictBool = Field(
        default=False,
        description="Deny an entry when the day's R with every stop hit would pass the stop.",
    )
    flatten: StrictBool = Field(
        default=False, description="Close all positions when the daily R-stop is hit."
    )
    volatility_atr: Annotated[float | None, Real(gt=0, off=True)] = Field(
        default=None,
        description="Deny an entry when its bar's true range is above so many ATR(14) of the bars "
        "before it; `false` = off.",
    )
    strategy: StrategyLimits = Field(default_factory=StrategyLimits)
    caps: Caps
    drawdown: Drawdown = Field(default_factory=Drawdown)
    health: Health = Field(default_factory=Health)


class Pacing(Section):
    """Trade pacing and cooldowns (P1-P3). Zero switches a spacing or cooldown off."""

    enabled: StrictBool = Field(default=True, description="`false` switches all pacing off.")
    spacing_s: Annotated[int, Whole(ge=0, le=3600)] = Field(
        default=180, description="Seconds between any two entries."
    )
    symbol_spacing_s: Annotated[int, Whole(ge=0, le=86_400)] = Field(
        default=900, description="Seconds between two entries in one symbol."
    )
    per_hour: Annotated[int, Whole(ge=1, le=100)] = Field(
        default=5, description="Entries in any rolling hour."
    )
    allow_daily_below_hourly_rate: StrictBool = Field(
        default=False, description="Says that `per_day` below 24 x `per_hour` is meant."
    )
    per_day: Annotated[int, Whole(ge=1, le=1000)] = Field(
        default=120,
        validate_default=True,
        description="Entries per trading day; at least 24 x `per_hour` unless allowed above.",
    )
    cooldown_win_m: Annotated[int, _MINUTES] = Field(
        default=10, description="Minutes a symbol rests after a winning trade."
    )
    cooldown_loss_m: Annotated[int, _MINUTES] = Field(
        default=60, description="Minutes a symbol rests after a losing trade."
    )
    cooldown_stop_m: Annotated[int, _MINUTES] = Field(
        default=120, description="Minutes a symbol rests after a losing stop."
    )
    loss_streak: Annotated[int, Whole(ge=1, le=20)] = Field(
        default=3, description="Losses in a row that start the portfolio-wide cooldown."
    )
    loss_streak_cooldown_m: Annotated[int, _MINUTES] = Field(
        default=60, description="Minutes the whole portfolio rests after a loss streak."
    )
    adaptive: StrictBool = Field(
        default=False, description="Scale cooldowns by the recent results."
    )

    @field_validator("per_day")
    @classmethod
    def _daily_not_below_hourly(cls, per_day: int, info: ValidationInfo) -> int:
        per_hour, meant = info.data.get("per_hour"), info.data.get("allow_daily_below_hourly_rate")
        if per_hour is not None and meant is False and per_day < 24 * per_hour:
            raise refuse(
                f"{per_day} entries a day is below 24 x per_hour = {24 * per_hour}, so the daily "
                f"cap would bind first; raise per_day, lower per_hour, or say that it is meant: "
                f"allow_daily_below_hourly_rate = true"
            )
        return per_day


class News(Section):
    """The news guard (W4)."""

    file: Annotated[Path, PathText()] | None = Field(
        default=None,
        description="CSV `date,time_utc,currencies,impact,title`; absent = off. "
        "Relative to the configuration file.",
    )
    before_m: Annotated[int, _MINUTES] = Field(
        default=30, description="Minutes before an event without entries."
    )
    after_m: Annotated[int, _MINUTES] = Field(
        default=30, description="Minutes after an event without entries."
    )
    impact: tuple[Literal["low", "medium", "high"], ...] = Field(
        default=("high",), min_length=1, description="Impacts that count."
    )


class Freshness(Section):
    """How old a price may be (R5)."""

    stale_after_intervals: Annotated[int, Whole(ge=1, le=1000)] = Field(
        default=2, description="Entries are refused on a series silent for this many intervals."
    )


class EndOfDay(Section):
    """The end of the trading day (T2)."""

    at: Annotated[int, TimeOfDay(earliest_s=85_800, latest_s=86_399)] = Field(
        default=86_100,
        description="Local time in the portfolio's zone of the day's provisional report.",
    )
    reports: StrictBool = Field(default=True, description="`false` switches reports off.")
