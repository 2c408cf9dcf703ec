"""P2: every bound of the pacing settings, and the daily cap against the hourly one."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from config.settings_risk import Pacing

BOUNDS = [
    ("spacing_s", 0, 3600),
    ("symbol_spacing_s", 0, 86_400),
    ("cooldown_win_m", 0, 1440),
    ("cooldown_loss_m", 0, 1440),
    ("cooldown_stop_m", 0, 1440),
    ("loss_streak_cooldown_m", 0, 1440),
    ("loss_streak", 1, 20),
    ("per_hour", 1, 100),
    ("per_day", 1, 1000),
]


@pytest.mark.parametrize(("key", "low", "high"), BOUNDS)
def test_bounds_are_inclusive(key: str, low: int, high: int) -> None:
    """Both ends are allowed, one beyond is refused, and the message names both ends."""
    meant = {"allow_daily_below_hourly_rate": True}
    for value in (low, high):
        assert getattr(Pacing.model_validate({**meant, key: value}), key) == value
    for value in (low - 1, high + 1):
        with pytest.raises(ValidationError, match=f"from {low} to {high}"):
            Pacing.model_validate({**meant, key: value})


def test_daily_cap_below_hourly_rate() -> None:
    """A daily cap below 24 x the hourly one is refused unless it is said to be meant."""
    assert Pacing.model_validate({"per_hour": 5, "per_day": 120}).per_day == 120
    with pytest.raises(ValidationError, match="below 24 x per_hour = 120"):
        Pacing.model_validate({"per_hour": 5, "per_day": 119})
    with pytest.raises(ValidationError, match="below 24 x per_hour = 144"):
        Pacing.model_validate({"per_hour": 6})  # the default of 120 a day counts too
    meant = {"per_hour": 5, "per_day": 119, "allow_daily_below_hourly_rate": True}
    assert Pacing.model_validate(meant).per_day == 119
