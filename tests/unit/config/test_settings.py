"""Settings made directly: rules of single sections and between them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from config.settings import ReplayCommand, Settings, Sizing
from config.toml_text import dumps, value_text


def data(**sections: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the smallest settings, with sections replaced."""
    return {
        "portfolio": {"id": "main", "base_currency": "USD", "equity": 100_000},
        "risk": {
            "caps": {
                "max_order_value": 1,
                "max_gross_exposure": 1,
                "max_positions": 1,
                "max_positions_per_symbol": 1,
            }
        },
        "strategies": [{"name": "ema", "kind": "EMA", "symbols": ["EURUSD"]}],
        **sections,
    }


def test_made_directly() -> None:
    """Settings can be made from a dict, and are frozen."""
    settings = Settings.model_validate(data())
    assert settings.symbols() == ("EURUSD",)
    with pytest.raises(ValidationError, match="frozen"):
        settings.portfolio.id = "x"


def test_consistency_holds_when_made_directly() -> None:
    """The rules between sections hold without a file too."""
    for broken, said in (
        ({"strategies": []}, "at least one"),
        ({"strategies": [{"name": "e", "kind": "EMA", "symbols": ["USDJPY"]}]}, "conversion.JPY"),
        ({"instruments": {"NOPE": {"spread_pips": 1}}}, "no such symbol"),
        ({"instruments": {"EURUSD": {"lot": 1000, "min_quantity": 1500}}}, "not a multiple"),
        ({"conversion": {"stale_after": "EURUSD"}}, "stale_after_s"),
    ):
        with pytest.raises(ValidationError, match=said):
            Settings.model_validate(data(**broken))


def test_fixed_size_needs_a_quantity() -> None:
    """kind = fixed needs a quantity, kind = risk refuses one."""
    assert Sizing.model_validate({"kind": "fixed", "quantity": 1}).quantity == Decimal(1)
    with pytest.raises(ValidationError, match="needs a quantity"):
        Sizing.model_validate({"kind": "fixed"})
    with pytest.raises(ValidationError, match="does not use it"):
        Sizing.model_validate({"quantity": 1})


def test_replay_commands() -> None:
    """A command has an instant with offset and the argument that it needs."""
    at = datetime(2017, 1, 5, 9, tzinfo=timezone(timedelta(hours=1)))
    good = ReplayCommand.model_validate({"at": at, "command": "deposit", "argument": "1000"})
    assert good.at_ns == 1_483_603_200 * 10**9  # 2017-01-05 08:00 UTC
    for fields, said in (
        ({"at": at.replace(tzinfo=None), "command": "halt"}, "offset"),
        ({"at": at, "command": "deposit"}, "amount above 0"),
        ({"at": at, "command": "withdraw", "argument": "-5"}, "amount above 0"),
        ({"at": at, "command": "clear_cooldown"}, "loss_streak"),
        ({"at": at, "command": "halt", "argument": "x"}, "no argument"),
    ):
        with pytest.raises(ValidationError, match=said):
            ReplayCommand.model_validate(fields)
    command = {"at": at, "command": "clear_cooldown", "argument": "EURUDS"}
    with pytest.raises(ValidationError, match="EURUSD"):
        Settings.model_validate(data(replay={"commands": [command]}))


def test_toml_text() -> None:
    """Text, keys and tables are written so that TOML reads them back."""
    assert value_text('a "b"\x7f') == '"a \\"b\\"\\u007f"'
    assert value_text({"a": [1, Decimal("0.50"), True]}) == "{ a = [1, 0.50, true] }"
    assert dumps({"x": 1, "t": {"k k": 2, "u": {"v": 3}}, "l": [{"a": 1}]}) == (
        'x = 1\n\n[t]\n"k k" = 2\n\n[t.u]\nv = 3\n\n[[l]]\na = 1\n'
    )
