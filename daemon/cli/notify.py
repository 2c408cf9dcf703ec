"""``foliod notify``: tries the notifications that are configured.

It sends through the same adapters as the daemon, without spool, folding or another try.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import click

from daemon.cli.options import Options, pass_options
from state.errors import ConfigError, ExitCode, NotifyError

if TYPE_CHECKING:
    from adapters.ports import Message, Notifier

Try = tuple[str, Callable[[], Awaitable[None]]]


@click.group()
def notify() -> None:
    """Try the notifications of the configuration.

    \b
    Example:
      foliod notify test
    """


@notify.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_options
def test(options: Options, /, as_json: bool) -> None:
    """Send one message to every endpoint, ping the dead man's URL, and say what happened.

    Exit status 0: all took it; 69: one did not, and the line says why; 78: nothing is configured,
    or a secret is missing.

    \b
    Example:
      foliod -c london.toml notify test
    """
    outcomes = asyncio.run(_test(options))
    failed = [name for name, problem in outcomes if problem]
    if options.json or as_json:
        import msgspec

        tries = [
            {"name": name, "ok": not problem, "problem": problem} for name, problem in outcomes
        ]
        whole = {"ok": not failed, "endpoints": tries}
        click.echo(msgspec.json.format(msgspec.json.encode(whole)).decode())
    else:
        for name, problem in outcomes:
            click.echo(f"fail  {problem}" if problem else f"ok    {name}: took the message")
    if failed:
        sys.exit(ExitCode.UNAVAILABLE)


async def _test(options: Options) -> list[tuple[str, str]]:
    """Try every endpoint at once; return its name, and what went wrong or an empty text."""
    from adapters.clock import SystemClock
    from adapters.ports import Message
    from config.load import load
    from daemon.wiring import endpoints

    settings = load(options.config_paths, os.environ)
    portfolio = settings.portfolio.id
    found = endpoints(settings, os.environ)
    if not found.notifiers and found.dead_man is None:
        raise ConfigError(
            "[notify] names no endpoint: set notify.webhook, notify.apprise or notify.dead_man to"
            " the name of a secret (docs/how-to/notifications.md)"
        )
    now_ns = SystemClock().now_ns()
    message = Message(
        at_ns=now_ns,
        level="info",
        event="test",
        key="test",
        title=f"{portfolio}: a test",
        text="This is `foliod notify test`. Nothing happened.",
        portfolio_id=portfolio,
        id=f"{portfolio}-test-{now_ns}",
    )
    tries: list[Try] = [(one.name, _sending(one, message)) for one in found.notifiers]
    closers = [one.close for one in found.notifiers]
    if found.dead_man is not None:
        tries.append((found.dead_man.name, found.dead_man.ping))
        closers.append(found.dead_man.close)
    try:
        return list(await asyncio.gather(*(_outcome(one) for one in tries)))
    finally:
        for close in closers:
            await close()


def _sending(notifier: Notifier, message: Message) -> Callable[[], Awaitable[None]]:
    return lambda: notifier.send(message)


async def _outcome(one: Try) -> tuple[str, str]:
    name, attempt = one
    try:
        await attempt()
    except NotifyError as problem:
        return name, str(problem)
    return name, ""
