"""Whether the program's packages are its own: no other distribution has one of their names.

The four packages have plain names. Installed beside a distribution that has a ``config`` or
``state`` too, files of one silently replace files of the other; such an environment is refused.
It reads what is installed and imports nothing of it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

from state.errors import ConfigError

NAMES: Final = ("adapters", "config", "daemon", "foliod", "state")
"""The top-level names that the program installs."""

OWN: Final = "foliod"
_MARKS: Final = {name: (f"\n{name}/", f"\n{name}.py", f"\n{name}\n") for name in NAMES}
"""How a line begins, or is, that lists a file of a name: in RECORD, or in top_level.txt."""
_LISTED: Final = ("RECORD", "installed-files.txt", "top_level.txt")


def check_ownership() -> None:
    """Refuse an environment in which another distribution owns one of the names.

    Raises:
        ConfigError: names each such distribution and folder, and what to do.
    """
    found = problems(distributions(), _roots())
    if found:
        raise ConfigError(found)


def problems(installed: Iterable[Distribution], roots: dict[str, Path]) -> list[str]:
    """Return what is wrong, one sentence each.

    ``roots`` is the folder in which each name that can be imported is found.
    """
    found = []
    for one in installed:
        taken = claimed(one)
        if not taken:
            continue
        # Metadata is read for the rare suspect only: parsing it takes longer than all the rest.
        name = one.metadata["Name"] or "without a name"
        if name.lower() != OWN:
            found.append(
                f"the distribution {name} {one.version} installs {', '.join(taken)} too, which"
                " foliod needs for itself: uninstall it, or give foliod an environment of its own"
            )
    found += _scattered(roots)
    return found


def claimed(distribution: Distribution) -> list[str]:
    """Return the program's names that a distribution installs, in alphabetical order."""
    for name in _LISTED:
        text = distribution.read_text(name)
        if text:
            lines = f"\n{text}\n"
            return [own for own in NAMES if any(mark in lines for mark in _MARKS[own])]
    return []


def _scattered(roots: dict[str, Path]) -> list[str]:
    """Say which names are found in another folder than this module's own package."""
    own = Path(__file__).resolve().parent.parent.parent
    return [
        f"{name} is imported from {folder}, not from foliod's own {own}: something else on the path"
        " of Python has that name; remove it, or start foliod elsewhere"
        for name, folder in sorted(roots.items())
        if folder != own
    ]


def _roots() -> dict[str, Path]:
    """Return the folder that each of the names would be imported from."""
    found = {}
    for name in NAMES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue
        folder = Path(spec.origin).resolve().parent
        found[name] = folder.parent if spec.submodule_search_locations else folder
    return found
