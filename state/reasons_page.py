"""The reference page of reason codes, written from the table so that it cannot disagree with it.

Run as a module it prints the page: ``python -m state.reasons_page > docs/reference/reasons.md``.
"""

from __future__ import annotations

from typing import Final

from state.reasons import REASONS, Reason

SECTIONS: Final = {
    "gate": "Gates, in the order in which they are asked",
    "order": "Orders and wishes that ended without a fill",
    "exit": "Exits",
    "plan": "Plans that moved, or were not widened",
    "bar": "Rows of a bar source that did not become bars",
    "engine": "Engines",
    "feed": "Live feeds",
}
"""The kinds of codes and their headings, in the order of the page."""


def page() -> str:
    """Return the reference page of all reason codes, as Markdown."""
    lines = [
        "# Reason codes",
        "",
        "Written from `state/reasons.py`; do not edit. `foliod explain CODE` prints one of them.",
        "",
        "Every gate answers for every entry, and the first denial is the binding one. *Observed* "
        "and *limit* are the two values that stand beside the code in `foliod why`.",
    ]
    for kind, heading in SECTIONS.items():
        lines += ["", f"## {heading}"]
        for reason in REASONS.values():
            if reason.kind == kind:
                lines += ["", *_entry(reason)]
    return "\n".join(lines) + "\n"


def _entry(reason: Reason) -> list[str]:
    lines = [f"### {reason.code}", "", reason.meaning, ""]
    lines.append(f"- Said by: {reason.gate}" + (" (allows)" if reason.allows else ""))
    if reason.observed:
        lines += [f"- Observed: {reason.observed}", f"- Limit: {reason.limit}"]
    return [*lines, f"- What to do: {reason.remedy}"]


if __name__ == "__main__":
    print(page(), end="")
