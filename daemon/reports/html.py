"""Reports as one HTML file each: templates, their style sheet, and a policy that allows no script.

Every value is escaped when it is written, and control and direction characters are spelled out;
only what ``daemon.reports.svg`` drew passes as markup. Nothing is loaded from anywhere.
"""

from __future__ import annotations

import base64
import hashlib
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from daemon.core.plain import plain
from daemon.reports.tally import amount, percent

_TEMPLATES: Final = Path(__file__).parent / "templates"


def page(template: str, **values: object) -> bytes:
    """Fill a template of this package; the same values give the same bytes."""
    css, policy = _style()
    text = _environment().get_template(template).render(css=css, policy=policy, **values)
    return text.encode("utf-8", "backslashreplace")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
        auto_reload=False,
    )
    environment.filters.update(
        amount=grouped,
        percent=percent,
        ratio=amount,
        sign=sign,
        at=minute,
        lines=str.splitlines,
        name=breakable,
    )
    return environment


@lru_cache(maxsize=1)
def _style() -> tuple[Markup, str]:
    """Return the style sheet and the content policy that allows it, by its hash, and no more."""
    text = (_TEMPLATES / "page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return Markup(text), policy


def _shown(value: object) -> object:
    """Spell out control characters of every text that is not markup already."""
    if isinstance(value, Markup):
        return value
    return plain(value) if isinstance(value, str) else value


def grouped(value: Decimal | float | None) -> str:
    """Write money with two places and groups of thousands; a dash where there is none."""
    return "-" if value is None else f"{value:z,.2f}"


def sign(value: Decimal | float | None) -> str:
    """Return the class of a cell: ``neg`` below 0."""
    return "neg" if value is not None and value < 0 else ""


def breakable(name: str) -> Markup:
    """Let a long name break behind an underscore, where it would else break inside of a word."""
    return Markup("_<wbr>").join(escape(plain(name)).split("_"))


def minute(text: str) -> str:
    """Write an ISO instant to the minute, as people read it; its column says UTC."""
    return text[:16].replace("T", " ")
