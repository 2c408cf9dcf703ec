"""docs/how-to/strategy.md: the strategy on the page is run as it stands there (E3)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from daemon.core import causality
from daemon.core.calendar import Schedule, WindowSpec
from daemon.core.strategy import Context, Strategy
from daemon.runtime import hindsight, loading
from state.units import DAY_NS, MINUTE_NS
from tests.builders import ROOT

PAGE = ROOT / "docs" / "how-to" / "strategy.md"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_strategy_on_the_page_loads_decides_and_is_causal(tmp_path: Path) -> None:
    """Saved under the page's name it passes the check, and it does decide."""
    (tmp_path / "breakout.py").write_text(_blocks("python")[0])
    entry = tomllib.loads(_blocks("toml")[0])["strategies"][0]
    schedule = Schedule([WindowSpec(7 * 3600, 10 * 3600, "UTC")])
    context = Context("EURUSD", 5 * MINUTE_NS, 1e-4, 1e-5, 1e-10, schedule)
    bars = causality.sample_bars(
        5 * MINUTE_NS, 3000, begin_ns=19_723 * DAY_NS, pip=0.0001, tick=0.00001
    )
    flags = [schedule.covers(bar.open_ns) for bar in bars]
    found = loading.find(entry["kind"], tmp_path)

    def make() -> Strategy:
        return loading.make(found, context, entry["params"])

    result = causality.check(make, bars, flags)

    assert result.violation is None
    assert result.decisions > 0
    assert hindsight.look(make, bars, flags) is None


def test_the_page_warns_of_every_rule_of_the_check() -> None:
    """What the check may say is in the page's table or its text."""
    page = " ".join(PAGE.read_text(encoding="utf-8").split())

    for words in ("second run", "restored from its state", "not JSON", "opens something", "holds"):
        assert words in page


@pytest.mark.parametrize("block", _blocks("toml"))
def test_the_pages_toml_is_toml(block: str) -> None:
    """Nobody pastes a block that does not parse."""
    assert tomllib.loads(block)
