"""What holds for every test, wherever it is started from."""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what goes to the background with SIGINT ignored, and so would be all that
    # tests start; they press Ctrl-C where a person would.
    signal.signal(signal.SIGINT, signal.default_int_handler)
