"""``foliod explain``: what a reason code means and what to do about it (R7)."""

from __future__ import annotations

import difflib
import textwrap

import click
import msgspec

from daemon.cli.options import Options, pass_options
from daemon.cli.table import lines
from state.reasons import REASONS, Reason

_WIDTH = 80


@click.command()
@click.argument("code", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_options
def explain(options: Options, /, code: str | None, as_json: bool) -> None:
    """Say what the reason CODE means; without one, list them all.

    \b
    Example:
      foliod explain SYMBOL_COOLDOWN
    """
    is_json = as_json or options.json
    if code is None:
        _list(is_json)
        return
    reason = REASONS.get(code.strip().upper().replace("-", "_"))
    if reason is None:
        near = difflib.get_close_matches(code.upper(), list(REASONS), n=3, cutoff=0.4)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise click.UsageError(
            f"there is no reason code {code!r}{hint} `foliod explain` lists all {len(REASONS)}."
        )
    if is_json:
        click.echo(msgspec.json.format(msgspec.json.encode(reason)).decode())
        return
    for line in text(reason):
        click.echo(line)


def text(reason: Reason) -> list[str]:
    """Return the explanation of a code as lines of at most 80 columns."""
    found = [reason.code, *_wrapped(reason.meaning)]
    for label, value in (
        ("Said by", reason.gate),
        ("Observed", reason.observed),
        ("Limit", reason.limit),
        ("What to do", reason.remedy),
    ):
        if value:
            found += ["", f"{label}:", *_wrapped(value)]
    return found


def _wrapped(value: str) -> list[str]:
    return textwrap.wrap(
        value, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
    )


def _list(is_json: bool) -> None:
    if is_json:
        click.echo(msgspec.json.format(msgspec.json.encode(list(REASONS.values()))).decode())
        return
    rows = []
    for one in REASONS.values():
        first = one.meaning.split(". ")[0].rstrip(".")
        rows.append((one.code, one.kind, textwrap.shorten(first, 46, placeholder=" ...")))
    for line in lines(("code", "kind", "meaning"), rows):
        click.echo(line)
