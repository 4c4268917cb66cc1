"""What a daemon that only reads, keeps and shows does not load."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("numpy", "apprise", "pcodec", "pyarrow")  # numpy alone takes 17 MB of 80 (promise 8)


def test_a_daemon_starts_without_what_only_long_questions_need() -> None:
    code = f"import sys, wattbook.cli.run, wattbook.api.app; print([n for n in {HEAVY} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
