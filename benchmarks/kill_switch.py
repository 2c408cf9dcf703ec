"""How long a kill file takes from being visible to a closed gate, with a busy process (R6).

``python -m benchmarks.kill_switch`` prints milliseconds over 200 trials for the file, and over 50
for a folder that vanishes, with the daemon's switch interval: as the system tells of changes in a
quiet process, then while another thread keeps the interpreter busy, then by periodic looks alone.
What is measured is the watching thread: the gate's own look is not asked for.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from adapters.clock import SteadyClock
from adapters.kill_file import FILE, SWITCH_S, KillFile

TRIALS = 200
VANISHING = 50
LIMITS_MS = {"file": 100.0, "folder": 250.0}


def measure(trials: int, strike: Callable[[Path], object], *, notify: bool) -> list[float]:
    """Return the milliseconds from the end of ``strike`` to the closed gate, one per trial."""
    clock, found = SteadyClock(), []
    for number in range(trials):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "control"
            folder.mkdir()
            kill = KillFile(folder, notify=notify)
            if kill.is_notified != notify:
                raise SystemExit("this system tells of no changes in folders")
            pause = threading.Event()
            pause.wait(0.02 + number % 20 / 1000)
            if kill.is_closed():
                raise SystemExit("the gate was closed before the file was there")
            strike(folder)
            begun_ns = clock.now_ns()
            while kill.seen() is None:
                pause.wait(0.0002)
            found.append((clock.now_ns() - begun_ns) / 1e6)
            kill.close()
    return sorted(found)


def keep_busy(ending: threading.Event) -> None:
    """Use the interpreter until told to end."""
    number = 0
    while not ending.is_set():
        for _ in range(10_000):
            number = (number * 31 + 7) % 1_000_003


def main() -> None:
    """Measure and print; exit with 1 when a limit is passed."""
    sys.setswitchinterval(SWITCH_S)
    strikes: dict[str, tuple[int, Callable[[Path], object]]] = {
        "file": (TRIALS, lambda folder: (folder / FILE).touch()),
        "folder": (VANISHING, lambda folder: folder.rename(folder.with_name("gone"))),
    }
    results = {("file", "told, quiet"): measure(*strikes["file"], notify=True)}
    ending = threading.Event()
    busy = threading.Thread(target=keep_busy, args=(ending,), daemon=True)
    busy.start()
    for how, notify in (("told, busy", True), ("looks, busy", False)):
        for name, (trials, strike) in strikes.items():
            results[name, how] = measure(trials, strike, notify=notify)
    ending.set()
    slow = False
    for (name, how), times in results.items():
        slow = slow or times[-1] > LIMITS_MS[name]
        print(
            f"{name:7}{how:12} {len(times)} trials: p50 {statistics.median(times):.1f} ms, "
            f"p99 {times[int(len(times) * 0.99) - 1]:.1f} ms, max {times[-1]:.1f} ms "
            f"(limit {LIMITS_MS[name]:.0f} ms)"
        )
    raise SystemExit(1 if slow else 0)


if __name__ == "__main__":
    main()
