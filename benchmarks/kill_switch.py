"""How long a kill file takes from being visible to a closed gate, with a busy process (R6).

``python -m benchmarks.kill_switch`` prints milliseconds over 200 trials for the file, and over 50
for a folder that vanishes, while another thread keeps the interpreter busy, with
the daemon's switch interval.
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


def measure(trials: int, strike: Callable[[Path], object]) -> list[float]:
    """Return the milliseconds from the end of ``strike`` to the closed gate, one per trial."""
    clock, found = SteadyClock(), []
    for number in range(trials):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "control"
            folder.mkdir()
            kill = KillFile(folder)
            pause = threading.Event()
            pause.wait(0.02 + number % 20 / 1000)
            if kill.is_closed():
                raise SystemExit("the gate was closed before the file was there")
            strike(folder)
            begun_ns = clock.now_ns()
            while not kill.is_closed():
                pause.wait(0.001)
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
    ending = threading.Event()
    busy = threading.Thread(target=keep_busy, args=(ending,), daemon=True)
    busy.start()
    results = {
        "file": measure(TRIALS, lambda folder: (folder / FILE).touch()),
        "folder": measure(VANISHING, lambda folder: folder.rename(folder.with_name("gone"))),
    }
    ending.set()
    slow = False
    for name, times in results.items():
        slow = slow or times[-1] > LIMITS_MS[name]
        print(
            f"{name:7} {len(times)} trials: p50 {statistics.median(times):.1f} ms, "
            f"p99 {times[int(len(times) * 0.99) - 1]:.1f} ms, max {times[-1]:.1f} ms "
            f"(limit {LIMITS_MS[name]:.0f} ms)"
        )
    raise SystemExit(1 if slow else 0)


if __name__ == "__main__":
    main()
