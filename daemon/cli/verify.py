"""``foliod verify``: prove a recorded run. What is proven is ``daemon.verify``'s."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, redirect_stdout
from typing import TYPE_CHECKING

import click

from daemon.cli.options import Options, pass_options
from daemon.cli.runs import folder_of
from daemon.runtime.run_index import RunMissing
from state.errors import ExitCode, FeedError

if TYPE_CHECKING:
    from daemon.cli.progress import Progress
    from daemon.verify import Part, Proof


@click.command()
@click.argument("run")
@click.option("--no-decide", is_flag=True, help="Check books, bars and files; do not re-decide.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_options
def verify(options: Options, /, run: str, no_decide: bool, as_json: bool) -> None:
    """Prove a run, given by name or folder: nothing in it was changed, and it comes out again.

    The books add up, bar files and configuration have their digests, trades.csv is the journal's,
    and the same bars, re-decided, make the same journal byte for byte. Exit status 0: all of it
    holds; 1: something differs, and it is named; 65: not a run.

    \b
    Example:
      foliod verify 20240226T080000Z-r0123456789ab
      foliod --json verify var/runs/20240226T080000Z-r0123456789ab --no-decide
    """
    from adapters.clock import SystemClock
    from daemon.verify import Interrupted
    from daemon.verify import verify as prove

    try:
        folder = folder_of(options, run)
    except RunMissing as problem:
        raise FeedError(str(problem)) from None

    def show(span: tuple[int, int]) -> AbstractContextManager[Progress]:
        from daemon.cli.progress import Progress

        return Progress(span, color=options.color, quiet=options.verbosity < 0, verb="verify")

    try:
        with redirect_stdout(sys.stderr):  # what a re-decided strategy prints is no result
            proof = asyncio.run(prove(folder, SystemClock(), decide=not no_decide, show=show))
    except Interrupted:
        raise click.Abort from None
    if options.json or as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(proof)).decode())
    else:
        for line in lines(proof):
            click.echo(line)
    if not proof.ok:
        sys.exit(ExitCode.NO)


def lines(proof: Proof) -> Iterator[str]:
    """Yield the proof as text: a line for each part, then what was found, then the verdict."""
    yield f"Run {proof.run} ({proof.state}, foliod {proof.version})"
    for note in proof.notes:
        yield f"note  {note}"
    for part in proof.parts:
        yield from _part(part)
    failed = [part.name for part in proof.parts if not part.ok]
    if failed:
        yield f"The run does not hold: {', '.join(failed)}."
    elif any(part.name == "decisions" for part in proof.parts):
        yield "The run holds."
    else:
        yield "What was looked at holds; the decisions were not made again (--no-decide)."


def _part(part: Part) -> Iterator[str]:
    if part.ok:
        yield f"ok    {part.name:<13} {part.detail}"
        return
    if part.name == "decisions":
        yield f"fail  {part.name:<13} {part.detail}"
    for finding in part.findings:
        yield f"fail  {part.name:<13} {finding}"
