"""Settings of how a portfolio is operated: its secrets, notifications and checks (X1, C1, C5).

Nothing here changes a decision, so nothing here is part of the fingerprint.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from config.section import Section
from config.types import PathText, SecretName, TimeOfDay, Whole, ZoneName, refuse

Level = Literal["off", "info", "warning", "critical"]


class Keys(Section):
    """Where secrets are looked for, after systemd's credentials and before the environment."""

    dir: Annotated[Path, PathText()] = Field(
        default=Path("secrets"),
        description="Folder of secret files, one each, mode 600, named as the secret; "
        "relative to the configuration file.",
    )


class NotifyLevels(Section):
    """The level of each event's message; `off` sends none."""

    start: Level = Field(default="info", description="The daemon came up, and what it found.")
    stop: Level = Field(default="info", description="The daemon ended in order.")
    trade: Level = Field(default="info", description="A trade closed.")
    halt: Level = Field(default="warning", description="Entries were halted, by whatever name.")
    resume: Level = Field(default="info", description="A halt or the kill switch was lifted.")
    kill: Level = Field(default="critical", description="The kill switch was latched.")
    quarantine: Level = Field(default="critical", description="A strategy raised and is out.")
    health: Level = Field(default="warning", description="The health gate said no.")
    error: Level = Field(default="critical", description="Something failed, or ended the daemon.")
    report: Level = Field(default="info", description="The report of the day, with its picture.")


class Notify(Section):
    """Notifications. Addresses are secrets: the keys here hold their names, never an address."""

    webhook: Annotated[str, SecretName()] | None = Field(
        default=None,
        description="Secret that holds the URL which gets each message as a JSON object by POST.",
    )
    apprise: tuple[Annotated[str, SecretName()], ...] = Field(
        default=(),
        description="Secrets that hold one Apprise address each (mail, Slack, Discord, Telegram "
        "...); needs the extra `foliod[apprise]`.",
    )
    dead_man: Annotated[str, SecretName()] | None = Field(
        default=None,
        description="Secret that holds a URL which is fetched (GET) while the daemon makes "
        "progress; whoever answers there alarms when it stops.",
    )
    dead_man_every_s: Annotated[int, Whole(ge=10, le=86_400)] = Field(
        default=60, description="Seconds between two such calls."
    )
    timeout_s: Annotated[int, Whole(ge=1, le=60)] = Field(
        default=10, description="Seconds after which an endpoint that does not answer has failed."
    )
    fold_s: Annotated[int, Whole(ge=0, le=3600)] = Field(
        default=60,
        description="Seconds in which repetitions of a message become one with their count; "
        "0: none are folded.",
    )
    per_minute: Annotated[int, Whole(ge=1, le=600)] = Field(
        default=20, description="Most messages sent to one endpoint a minute; others wait."
    )
    spool_max: Annotated[int, Whole(ge=10, le=100_000)] = Field(
        default=500,
        description="Most messages kept on disk for one endpoint; beyond it the oldest that is "
        "not critical is dropped and counted.",
    )
    levels: NotifyLevels = Field(default_factory=NotifyLevels)

    def secret_names(self) -> tuple[str, ...]:
        """Return the names of all secrets that are used, in order, each once."""
        one = [name for name in (self.webhook, self.dead_man) if name is not None]
        return tuple(dict.fromkeys([*one, *self.apprise]))


class Check(Section):
    """What `foliod check` asks beside what every run needs."""

    zone: Annotated[str, ZoneName()] = Field(
        default="UTC", description="Time zone of the two times below."
    )
    earliest: Annotated[int, TimeOfDay()] | None = Field(
        default=None, description="Before this local time the check fails; absent: any time."
    )
    latest: Annotated[int, TimeOfDay(until_24=True)] | None = Field(
        default=None,
        validate_default=True,
        description="From this local time on the check fails; given with `earliest`, or neither.",
    )

    @field_validator("latest")
    @classmethod
    def _both_or_neither(cls, latest: int | None, info: ValidationInfo) -> int | None:
        if "earliest" not in info.data:
            return latest
        earliest = info.data["earliest"]
        if (earliest is None) != (latest is None):
            raise refuse("earliest and latest are given together, or neither")
        if earliest is not None and latest is not None and latest <= earliest:
            raise refuse("latest must be later in the day than earliest")
        return latest
