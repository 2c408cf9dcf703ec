"""The examples of docs/how-to/feeds.md are configurations, not prose (F2)."""

from __future__ import annotations

import re
import tomllib

import pytest

from config.settings_feed import SOURCES, Feed
from tests.builders import ROOT

_PAGE = (ROOT / "docs" / "how-to" / "feeds.md").read_text(encoding="utf-8")
EXAMPLES = [tomllib.loads(one)["feed"] for one in re.findall(r"```toml\n(.*?)```", _PAGE, re.S)]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one["source"])
def test_an_example_is_accepted(example: dict[str, object]) -> None:
    """Every key is known, and the section of the source is there."""
    assert Feed.model_validate(example).is_live


def test_every_source_has_an_example() -> None:
    """None is left to be guessed."""
    assert {one["source"] for one in EXAMPLES} == set(SOURCES)
