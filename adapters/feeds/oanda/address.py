"""Where OANDA v20 is. The token is a header; the account is part of the path."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from adapters.feeds.address import Address, checked_secret
from adapters.feeds.frames import shown
from state.errors import ConfigError

STREAMS: Final = {
    True: "https://stream-fxtrade.oanda.com",
    False: "https://stream-fxpractice.oanda.com",
}
REST: Final = {True: "https://api-fxtrade.oanda.com", False: "https://api-fxpractice.oanda.com"}
"""By whether the account is a real one."""

_ACCOUNT: Final = re.compile(r"[0-9A-Za-z-]{1,64}")


def stream(
    account: str, token: str, instruments: Iterable[str], *, is_real: bool, base: str = ""
) -> Address:
    """Return the price stream of OANDA's ``instruments`` as the account sees it.

    Raises:
        ConfigError: the token cannot be sent, or the account is no account.
    """
    if _ACCOUNT.fullmatch(account) is None:
        raise ConfigError(
            f"oanda: expected an account such as 101-004-1234567-001, found {shown(account)}"
        )
    names = quote(",".join(instruments), safe="")
    path = f"/v3/accounts/{account}/pricing/stream?instruments={names}"
    return Address(
        (base or STREAMS[is_real]) + path,
        secret=checked_secret(token, "oanda", "token"),
        headers=_headers(token),
    )


def rest(token: str, *, is_real: bool, base: str = "") -> Address:
    """Return where the history is asked for.

    Raises:
        ConfigError: the token cannot be sent.
    """
    secret = checked_secret(token, "oanda", "token")
    return Address(base or REST[is_real], secret=secret, headers=_headers(token))


def _headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Accept-Datetime-Format": "RFC3339"}
