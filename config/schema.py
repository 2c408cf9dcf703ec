"""The JSON schema of the configuration file, for editors."""

from __future__ import annotations

from typing import Any

from config.settings import Settings


def schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of ``foliod.toml``; ``x-allowed`` is in words."""
    found = Settings.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "foliod configuration",
        **{key: value for key, value in found.items() if key != "title"},
    }
