"""Names that two strata keep, because neither may import the other, are the same names."""

from __future__ import annotations

from config.profiles import TUNED
from config.settings_strategies import AFTER_RANGE, BUILT_IN, DAILY
from daemon.core.strategies import registry


def test_the_kinds_that_settings_accept_are_the_strategies_there_are() -> None:
    """E3: a built-in kind in the configuration has a class, and each class has its kind."""
    assert tuple(BUILT_IN) == tuple(registry.BUILT_IN)
    assert set(BUILT_IN) >= DAILY | AFTER_RANGE


def test_tuned_parameters_are_parameters() -> None:
    """A tuned set names fields that its strategy has."""
    unknown = {
        (key[0], name)
        for key, values in TUNED.items()
        for name in values
        if name not in registry.BUILT_IN[key[0]].Params.__struct_fields__
    }

    assert unknown == set()
