"""The reference page of exit statuses, written from the enum so that it cannot disagree with it.

Run as a module it prints the page: ``python -m state.exit_codes_page >
docs/reference/exit-codes.md``.
"""

from __future__ import annotations

from typing import Final

from state.errors import ExitCode

MEANINGS: Final[dict[ExitCode, tuple[str, str]]] = {
    ExitCode.OK: ("Done.", ""),
    ExitCode.NO: (
        "A check, a gate or a proof said no: `check` found a failure, `verify` a difference, "
        "`strategies check` look-ahead.",
        "Read the lines above it; each finding has its remedy.",
    ),
    ExitCode.USAGE: ("The command line cannot be understood.", "`foliod VERB --help`."),
    ExitCode.DATA: (
        "A bar file, a news file or a run folder is not what it was said to be, or a portfolio's "
        "database is damaged.",
        "`foliod bars FILE` shows what a bar file is; the message says how to restore a database.",
    ),
    ExitCode.UNAVAILABLE: ("A broker or a feed cannot be reached.", "Try again later."),
    ExitCode.INTERNAL: (
        "A fault of the program, or books that do not balance.",
        "Keep the run folder and report it with `foliod version`.",
    ),
    ExitCode.HELD: (
        "Another process holds the portfolio or the run folder.",
        "The message says which process, where and since when.",
    ),
    ExitCode.JOURNAL: (
        "The journal, or another file of the run, cannot be written or read.",
        "Look for a full disk and for permissions; what was not written was not done.",
    ),
    ExitCode.TRY_AGAIN: ("Something passing stood in the way.", "Run the same command again."),
    ExitCode.CONFIG: (
        "The configuration, or a strategy it names, cannot be used.",
        "All mistakes are listed at once, each with file, key and what is allowed.",
    ),
    ExitCode.INTERRUPTED: (
        "Stopped by Ctrl-C or a signal; what was recorded up to then is whole.",
        "",
    ),
}
"""Status: what it means and what to do."""

NO_RESTART: Final = (
    ExitCode.USAGE,
    ExitCode.DATA,
    ExitCode.INTERNAL,
    ExitCode.HELD,
    ExitCode.CONFIG,
)
"""A service manager must not start the program again after these: the same would happen."""


def page() -> str:
    """Return the reference page of all exit statuses, as Markdown."""
    lines = [
        "# Exit codes",
        "",
        "Written from `state/errors.py` by `state/exit_codes_page.py`; do not edit.",
        "",
        "| status | name | meaning | what to do |",
        "|---|---|---|---|",
    ]
    for code in ExitCode:
        meaning, remedy = MEANINGS[code]
        lines.append(f"| {code.value} | `{code.name}` | {meaning} | {remedy} |")
    never = ", ".join(str(code.value) for code in NO_RESTART)
    lines += ["", f"A service manager should not start `foliod` again after {never}."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
