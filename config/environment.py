"""The environment as the last layer of the configuration: ``FOLIOD_RISK__DAILY_R_STOP=-4``.

This module refuses what names nothing; ``config.environ_source`` reads the values, and is imported
only where there is a variable: making its settings class takes longer than most commands do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from config.locate import PREFIX, SEPARATOR
from config.secrets import SECRET_PREFIX
from config.settings import Settings
from config.types import nearest


def variables(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the layer of settings that the environment gives."""
    if not any(name.upper().startswith(PREFIX) for name in environ):
        return {}
    from config.environ_source import EnvironSource

    return EnvironSource(environ)()


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return one line for each variable with the prefix that names no section."""
    sections = {name.upper() for name in Settings.model_fields}
    found = []
    for name in sorted(environ):
        if not name.upper().startswith(PREFIX) or name.startswith(SECRET_PREFIX):
            continue
        rest = name.upper()[len(PREFIX) :]
        if rest.split(SEPARATOR, 1)[0] not in sections:
            found.append(f"environment: {name}: {_unknown(rest, sections)}")
    return found


def _unknown(rest: str, sections: set[str]) -> str:
    section = next((name for name in sorted(sections) if rest.startswith(f"{name}_")), None)
    if section is not None and not rest.startswith(f"{section}{SEPARATOR}"):
        near = f'; did you mean "{PREFIX}{section}{SEPARATOR}{rest[len(section) + 1 :]}"?'
    else:
        head, separator, tail = rest.partition(SEPARATOR)
        name = nearest(head, sections)
        near = f'; did you mean "{PREFIX}{name}{separator}{tail}"?' if name is not None else ";"
    return (
        f"no such setting{near} allowed: {PREFIX}SECTION{SEPARATOR}KEY, "
        f"such as {PREFIX}RISK{SEPARATOR}DAILY_R_STOP"
    )
