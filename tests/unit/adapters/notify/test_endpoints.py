"""Notifiers over a real loopback server: what answers mean; no address is shown (C5, X1)."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from pathlib import Path

import msgspec
import pytest

from adapters.notify.apprise import AppriseNotifier
from adapters.notify.dead_man import DeadMan
from adapters.notify.http import wait_s
from adapters.notify.webhook import PICTURE_BYTES, Webhook
from adapters.ports import Message
from state.errors import ConfigError, NotifyError
from tests.fakes.endpoints import Endpoint, dead_port, serving

PATH = "/T0/CANARY-4711?key=CANARY"
MESSAGE = Message(
    at_ns=1_700_000_000_000_000_000,
    level="warning",
    event="halt",
    key="halt/r_stop",
    title="main: halted: r_stop",
    text="R_STOP_REACHED",
    portfolio_id="main",
    id="main-7-halt",
)


async def test_what_a_webhook_gets() -> None:
    """One JSON object by POST, with everything that a message is."""
    async with serving(Endpoint(), PATH) as endpoint:
        hook = Webhook("ops", endpoint.url, 5)
        await hook.send(MESSAGE)
        await hook.close()
    ((method, body),) = endpoint.asked
    assert method == "POST"
    assert endpoint.headers[0]["Content-Type"] == "application/json"
    assert json.loads(body) == {
        "id": "main-7-halt",
        "at": "2023-11-14T22:13:20Z",
        "portfolio_id": "main",
        "level": "warning",
        "event": "halt",
        "title": "main: halted: r_stop",
        "text": "R_STOP_REACHED",
        "count": 1,
    }


async def test_a_picture_goes_along(tmp_path: Path) -> None:
    """As base64; one that is gone or too large is null, and the message goes all the same."""
    path = tmp_path / "day.png"
    path.write_bytes(b"\x89PNG")
    large = tmp_path / "large.png"
    large.write_bytes(bytes(PICTURE_BYTES + 1))
    async with serving(Endpoint()) as endpoint:
        hook = Webhook("ops", endpoint.url, 5)
        for one in (path, tmp_path / "gone.png", large):
            await hook.send(msgspec.structs.replace(MESSAGE, picture=str(one)))
        await hook.close()
    pictures = [json.loads(body)["picture_png"] for _, body in endpoint.asked]
    assert pictures == [base64.b64encode(b"\x89PNG").decode(), None, None]


@pytest.mark.parametrize(
    ("answer", "is_final", "wait"),
    [
        (500, False, None),
        (503, False, None),
        ((429, {"Retry-After": "7"}), False, 7.0),
        ((503, {"Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT",
                "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}), False, 30.0),
        (400, True, None),
        (413, True, None),
        (401, False, None),
        (404, False, None),
        ((302, {"Location": "http://127.0.0.1:9/CANARY"}), False, None),
    ],
)  # fmt: skip
async def test_what_an_answer_means(
    answer: int | tuple[int, dict[str, str]], is_final: bool, wait: float | None
) -> None:
    """A refusal of the message is final, one of the address waits for it to be mended."""
    async with serving(Endpoint(script=[answer]), PATH) as endpoint:
        hook = Webhook("ops", endpoint.url, 5)
        with pytest.raises(NotifyError) as failed:
            await hook.send(MESSAGE)
        await hook.close()
    problem = failed.value
    assert (problem.is_final, problem.retry_after_s) == (is_final, wait)
    assert "webhook ops" in str(problem)
    assert len(endpoint.asked) == 1  # a redirect is not followed
    _assert_hidden(problem)


async def test_who_never_answers() -> None:
    """The time limit ends it, in words."""
    async with serving(Endpoint(hold=asyncio.Event()), PATH) as endpoint:
        hook = Webhook("ops", endpoint.url, 0.05)
        with pytest.raises(NotifyError, match=r"webhook ops: no answer within 0\.05 s") as failed:
            await hook.send(MESSAGE)
        await hook.close()
    _assert_hidden(failed.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}{path}", "https://127.0.0.1:{port}{path}"])
async def test_where_nobody_listens(url: str) -> None:
    """Said without the address, which the library's own text repeats."""
    hook = Webhook("ops", url.format(port=dead_port(), path=PATH), 5)
    with pytest.raises(NotifyError, match="cannot be reached") as failed:
        await hook.send(MESSAGE)
    await hook.close()
    _assert_hidden(failed.value)


@pytest.mark.parametrize(
    "url", ["CANARY", "ftp://CANARY/x", "http://", "http://127.0.0.1:99999/CANARY"]
)
async def test_what_is_no_url(url: str) -> None:
    """A secret that holds no address fails as one, unseen."""
    hook = Webhook("ops", url, 5)
    with pytest.raises(NotifyError) as failed:
        await hook.send(MESSAGE)
    await hook.close()
    _assert_hidden(failed.value)
    assert "CANARY" not in repr(hook) + repr(hook._address)


async def test_tls_without_tls() -> None:
    """A server that speaks no TLS is told as that."""
    async with serving(Endpoint(), PATH) as endpoint:
        hook = Webhook("ops", endpoint.url.replace("http:", "https:"), 5)
        with pytest.raises(NotifyError) as failed:
            await hook.send(MESSAGE)
        await hook.close()
    _assert_hidden(failed.value)


async def test_the_ping() -> None:
    """A GET without a body; a failure is told by name."""
    async with serving(Endpoint(script=[200, 500]), PATH) as endpoint:
        man = DeadMan("cron", endpoint.url, 5)
        await man.ping()
        with pytest.raises(NotifyError, match="dead man cron: answered 500") as failed:
            await man.ping()
        await man.close()
    assert endpoint.asked == [("GET", b""), ("GET", b"")]
    _assert_hidden(failed.value)


@pytest.mark.parametrize(
    ("again", "date", "wait"),
    [
        ("0", "", 0.0),
        ("99999", "", 3600.0),
        ("9" * 5000, "", 3600.0),
        ("-5", "", None),
        ("soon", "", None),
        ("٣", "", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", "", None),
        ("Wed, 21 Oct 2015 07:27:00 GMT", "Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("", "", None),
    ],
)
def test_how_long_to_wait(again: str, date: str, wait: float | None) -> None:
    """Seconds, or a date against the server's own; nonsense says nothing, an hour is the most."""
    assert wait_s(again, date) == wait


# Apprise ------------------------------------------------------------------------------------------


async def test_apprise_delivers(tmp_path: Path) -> None:
    """Through the real library to a real server, with the picture."""
    pytest.importorskip("apprise")
    path = tmp_path / "day.png"
    path.write_bytes(b"\x89PNG")
    async with serving(Endpoint(), "/CANARY") as endpoint:
        one = AppriseNotifier("chat", endpoint.url.replace("http:", "json:"), 5)
        await one.send(msgspec.structs.replace(MESSAGE, picture=str(path)))
        await one.close()
    ((method, body),) = endpoint.asked
    assert method == "POST"
    found = json.loads(body)
    assert (found["title"], found["message"]) == (MESSAGE.title, MESSAGE.text)
    assert found["attachments"][0]["mimetype"] == "image/png"


async def test_apprise_that_fails(capfd: pytest.CaptureFixture[str]) -> None:
    """A refusal is an error by name; the library's log, which names addresses, is shut."""
    pytest.importorskip("apprise")
    async with serving(Endpoint(script=[500]), "/CANARY") as endpoint:
        one = AppriseNotifier("chat", endpoint.url.replace("http:", "json:"), 5)
        with pytest.raises(NotifyError, match="apprise chat: the service did not take") as failed:
            await one.send(MESSAGE)
    _assert_hidden(failed.value)
    shown = capfd.readouterr()
    assert shown.out + shown.err == ""


@pytest.mark.parametrize("url", ["nosuchthing://CANARY", "CANARY", "slack://CANARY"])
def test_what_apprise_does_not_know(url: str) -> None:
    """An address that it cannot use is a mistake of the configuration, told unseen."""
    pytest.importorskip("apprise")
    with pytest.raises(ConfigError, match="the secret chat holds no address") as failed:
        AppriseNotifier("chat", url, 5)
    _assert_hidden(failed.value)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command that installs it is named."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigError, match=r"pip install 'foliod\[apprise\]'"):
        AppriseNotifier("chat", "json://127.0.0.1/CANARY", 5)


def _assert_hidden(problem: BaseException) -> None:
    """Neither the text nor anything chained to it shows the address."""
    seen: BaseException | None = problem
    while seen is not None:
        assert "CANARY" not in f"{seen!s} {seen!r} {seen.args!r}"
        seen = None if seen.__suppress_context__ else seen.__cause__ or seen.__context__
