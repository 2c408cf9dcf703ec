"""Whether a host can be reached: a connection, and TLS where the address asks for it.

Nothing is sent over it: whoever answers there may take a request for a message. The address may be
a secret, so no text of this module repeats it.
"""

from __future__ import annotations

import socket
import ssl
from typing import Final
from urllib.parse import urlsplit

PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}
SECURE: Final = ("https", "wss")


def reach(url: str, timeout_s: float) -> str:
    """Try to reach the host of an address; return what went wrong, empty when nothing did."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "it is no address"
    scheme = parts.scheme.lower()
    if scheme not in PORTS or not host:
        return f"it is no address of {', '.join(PORTS)}"
    try:
        with socket.create_connection((host, port or PORTS[scheme]), timeout_s) as line:
            if scheme in SECURE:
                with ssl.create_default_context().wrap_socket(line, server_hostname=host):
                    return ""
    except TimeoutError:
        return f"no answer within {timeout_s:g} s"
    except ssl.SSLCertVerificationError as problem:
        return f"its certificate is not to be trusted (code {problem.verify_code})"
    except ssl.SSLError as problem:
        return f"it does not speak TLS ({problem.reason or type(problem).__name__})"
    except socket.gaierror:
        return "its name is not known here"
    except (OSError, UnicodeError) as problem:
        return f"it cannot be reached ({getattr(problem, 'strerror', None) or 'no such name'})"
    return ""
