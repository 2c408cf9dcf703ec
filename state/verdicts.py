"""A gate's answer."""

from __future__ import annotations

import msgspec


class Verdict(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What one gate said of one intent.

    ``gate`` is the gate's name, ``allowed`` its outcome, ``code`` a stable reason code (allowing
    has one too), ``observed`` and ``limit`` the numbers or words behind it, as text in the unit
    that ``foliod explain CODE`` names.
    """

    gate: str
    allowed: bool
    code: str
    observed: str
    limit: str
