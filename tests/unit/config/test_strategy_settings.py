"""Strategies and windows: what is refused, what a profile chooses (E3, W1, W2)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from config.profiles import TUNED, resolve
from config.settings_strategies import StrategySettings, WindowSettings
from daemon.core.strategies.registry import BUILT_IN

DAY = {"start": "08:00", "end": "12:00"}


def strategy(**fields: Any) -> StrategySettings:  # noqa: ANN401
    """Make a strategy's settings."""
    return StrategySettings.model_validate({"name": "s", "symbols": ["EURUSD"], **fields})


def refusal(**fields: Any) -> str:  # noqa: ANN401
    """Return why the settings are refused."""
    with pytest.raises(ValidationError) as caught:
        strategy(**fields)
    return str(caught.value)


def test_profile_windows() -> None:
    """London is 07:00-10:00 and New York 12:30-16:00, both UTC, when no windows are given."""
    london = strategy(kind="LSG", profile="london").effective_windows()
    assert [window.text() for window in london] == ["07:00-10:00 UTC"]
    assert london[0].weekday_numbers == frozenset(range(5))
    new_york = strategy(kind="ORB", profile="new_york").effective_windows()
    assert [window.text() for window in new_york] == ["12:30-16:00 UTC"]
    own = strategy(kind="ORB", profile="new_york", windows=[DAY]).effective_windows()
    assert [window.text() for window in own] == ["08:00-12:00 UTC"]
    assert strategy(kind="EMA").effective_windows() == ()


@pytest.mark.parametrize("kind", ["LSG", "ORB", "ARLS"])
def test_daily_strategies_refuse_ambiguous_dates(kind: str) -> None:
    """LSG, ORB and ARLS refuse midnight, two windows a day, two zones, and no window."""
    night = {"start": "22:00", "end": "02:00"}
    assert "crosses midnight" in refusal(kind=kind, windows=[night])
    later = {"start": "13:00", "end": "14:00"}
    assert "more than one window a day" in refusal(kind=kind, windows=[DAY, later])
    friday = {**DAY, "weekdays": ["fri"], "zone": "Europe/London"}
    monday = {**DAY, "weekdays": ["mon"]}
    assert "different zones" in refusal(kind=kind, windows=[monday, friday])
    assert "needs a window" in refusal(kind=kind)
    two_days = [monday, {**DAY, "weekdays": ["tue"], "start": "09:00"}]
    assert len(strategy(kind=kind, windows=two_days).windows) == 2


def test_window_before_the_range_ends() -> None:
    """LSG and ARLS refuse a window that starts before 07:00; ORB does not."""
    early = {"start": "06:59", "end": "10:00"}
    for kind in ("LSG", "ARLS"):
        assert "before the range 00:00-07:00 ends" in refusal(kind=kind, windows=[early])
    assert strategy(kind="ORB", windows=[early]).windows[0].start_s == 6 * 3600 + 59 * 60


def test_window_times() -> None:
    """24:00 is allowed as an end only, start = end is refused, midnight may be crossed."""
    whole = WindowSettings.model_validate({"start": "00:00", "end": "24:00"})
    assert (whole.length_s, whole.crosses_midnight) == (86_400, False)
    night = WindowSettings.model_validate({"start": "22:00", "end": "02:00"})
    assert (night.length_s, night.crosses_midnight) == (4 * 3600, True)
    for start, end in (("07:00", "07:00"), ("24:00", "10:00"), ("07:00", "24:01"), ("7:00", "9")):
        with pytest.raises(ValidationError):
            WindowSettings.model_validate({"start": start, "end": end})


@pytest.mark.parametrize(
    ("start", "end", "last", "fits"),
    [
        ("07:00", "10:00", "10:00", True),
        ("07:00", "10:00", "07:00", False),
        ("07:00", "10:00", "10:01", False),
        ("22:00", "02:00", "24:00", True),
        ("22:00", "02:00", "01:00", True),
        ("22:00", "02:00", "21:00", False),
    ],
)
def test_last_entry_is_inside(start: str, end: str, last: str, fits: bool) -> None:
    """The last entry is after the start and not after the end, across midnight too."""
    window = {"start": start, "end": end, "last_entry": last}
    if fits:
        assert WindowSettings.model_validate(window).last_entry is not None
    else:
        with pytest.raises(ValidationError, match="not inside the window"):
            WindowSettings.model_validate(window)


def test_last_entry_never_after_the_time_stop() -> None:
    """The last-entry time defaults to the time-stop, and is refused after it."""
    early = strategy(kind="EMA", flatten_before_s=300, windows=[DAY])
    assert early.last_entry_s(early.windows[0]) == 12 * 3600 - 300
    held = strategy(kind="EMA", flatten_before_s=300, at_end="hold", windows=[DAY])
    assert held.last_entry_s(held.windows[0]) == 12 * 3600
    late = {**DAY, "last_entry": "11:56"}
    assert "later than the time-stop" in refusal(kind="EMA", flatten_before_s=300, windows=[late])
    short = refusal(kind="EMA", flatten_before_s=4 * 3600, windows=[DAY])
    assert "not shorter than 08:00-12:00" in short


def test_overlapping_windows_are_refused() -> None:
    """Two windows of one zone must not share an instant, across midnight and the week's end."""
    sunday = {"start": "22:00", "end": "02:00", "weekdays": ["sun"]}
    monday = {"start": "01:00", "end": "05:00", "weekdays": ["mon"]}
    assert "overlap" in refusal(kind="EMA", windows=[sunday, monday])
    after = {**monday, "start": "02:00"}
    assert len(strategy(kind="EMA", windows=[sunday, after]).windows) == 2


def test_unknown_kind() -> None:
    """A kind that is no built-in, entry point or file is refused with the nearest."""
    assert 'did you mean "LSG"?' in refusal(kind="lsg")
    assert strategy(kind="own.py:Own").kind == "own.py:Own"


def test_intervals() -> None:
    """An interval divides a day and is kept in its shortest form."""
    assert strategy(kind="EMA", interval="60m").interval == "1h"
    assert strategy(kind="EMA", interval="5m").interval_ns == 300_000_000_000
    for wrong in ("7m", "0m", "5", "5s", "2d"):
        assert "divides a day" in refusal(kind="EMA", interval=wrong)


def test_parameter_sets() -> None:
    """The set is chosen by kind, symbol, interval, profile; overrides go on top, named."""
    params, name = resolve("LSG", "EURUSD", "5m", "london", {})
    assert name == "tuned:EURUSD:5m:london"
    assert [params[key] for key in ("tol_pips", "sweep_pips", "bos_buffer_pips")] == [2, 3, 0.5]
    params, name = resolve("LSG", "EURUSD", "5m", "new_york", {"tol_pips": 3.0})
    assert (name, params["tol_pips"]) == ("tuned:EURUSD:5m:new_york+tol_pips", 3.0)
    assert params["reentry_window_m"] == 40
    assert resolve("LSG", "GBPUSD", "5m", "london", {}) == ({}, "default")
    assert resolve("LSG", "EURUSD", "15m", "london", {}) == ({}, "default")
    assert resolve("ORB", "XAUUSD", "15m", "new_york", {})[0]["min_range_pips"] == 5.0


def test_tuned_sets_are_parameters() -> None:
    """Every tuned value is a parameter that its strategy knows and accepts."""
    for (kind, *_), params in TUNED.items():
        made = msgspec.convert(dict(params), BUILT_IN[kind].Params)
        assert {name: getattr(made, name) for name in params} == dict(params)


def test_only_a_held_position_is_widened_for_the_night() -> None:
    """S5: off by default; refused where nothing is held, and where it would widen by nothing."""
    held = strategy(kind="EMA", at_end="hold")
    assert (held.overnight_widen, held.trail_r) == (False, None)
    assert [str(one) for one in (
        held.overnight_widen_fraction, held.overnight_widen_pips,
        held.overnight_widen_max_fraction, held.max_overnight_r,
    )] == ["0.01", "0", "0.05", "1.5"]  # fmt: skip
    assert strategy(kind="EMA", at_end="reduce", overnight_widen=True).overnight_widen
    assert "nothing is held overnight" in refusal(kind="EMA", overnight_widen=True)
    nothing = refusal(kind="EMA", at_end="hold", overnight_widen=True, overnight_widen_fraction=0)
    assert "nothing to widen by" in nothing
    assert strategy(
        kind="EMA", at_end="hold", overnight_widen=True, overnight_widen_fraction=0,
        overnight_widen_pips=40,
    ).overnight_widen  # fmt: skip
