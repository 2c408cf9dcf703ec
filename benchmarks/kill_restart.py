"""How long the daemon is away when it is killed: from SIGKILL to READY of the process after it.

``python -m benchmarks.kill_restart`` runs the demo's portfolio at sixty times the pace, kills it
with SIGKILL after part of a second of work, starts it again at once and waits until it tells its
service manager that it is ready: recovered, its start on the disk, its tasks at work. Everything
that a start costs is in it, importing the program included.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from adapters.feeds.demo import write_demo

ROOT = Path(__file__).resolve().parents[1]


def start(folder: Path, line: socket.socket) -> tuple[subprocess.Popen[bytes], float]:
    """Start the daemon and wait until it is ready; return it, and when that was."""
    command = [sys.executable, "-P", "-m", "daemon.cli.main", "-c", "foliod.toml"]
    process = subprocess.Popen(
        [*command, "run", "--speed", "60"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NOTIFY_SOCKET": line.getsockname()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while b"READY=1" not in line.recv(4096):
        pass
    return process, time.perf_counter()


def measure(folder: Path, kills: int) -> list[float]:
    """Kill and start again so often; return the seconds of each."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(folder / "notify"))
        line.settimeout(60)
        process, _ = start(folder, line)
        found = []
        for number in range(kills):
            threading.Event().wait(0.2 + number % 10 / 10)
            begun = time.perf_counter()
            process.send_signal(signal.SIGKILL)
            process.wait()
            process, ready = start(folder, line)
            found.append(ready - begun)
        process.terminate()
        process.wait()
    return sorted(found)


def main() -> None:
    """Read the command line, measure, print a row."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kill_restart", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_demo(folder / "bars")
        text = (ROOT / "config" / "examples" / "demo.toml").read_text()
        text = text[: text.index("# An operator's days")]
        (folder / "foliod.toml").write_text(text.replace('data_dir = ".."', 'data_dir = "."'))
        found = measure(folder, given.kills)
    print("| kills | p50 s | p99 s | max s |")
    print("|---|---|---|---|")
    p99 = found[min(len(found) - 1, len(found) * 99 // 100)]
    print(f"| {len(found)} | {statistics.median(found):.2f} | {p99:.2f} | {found[-1]:.2f} |")


if __name__ == "__main__":
    main()
