"""`kill -9` while wattbook.toml is written: it is the one before or the one after, whole."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from running import WAIT_S_MAX

KILLS, KILLS_MAX = 15, 100  # so many at least, and until both were seen
WRITER = """
import sys
from pathlib import Path
from wattbook.config import Edit, change
path = Path(sys.argv[1])
print("ready", flush=True)
while True:
    for name in ("a" * 50, "b" * 100):
        change(path, Edit("change", "site", {"name": name}))
"""


def test_a_kill_leaves_a_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "wattbook.toml"
    comments = "".join(f"# {number} what somebody wrote down about this house\n" for number in range(2000))
    texts = {f'[site]\nname = "{name}"  # ours\n{comments}' for name in ("a" * 50, "b" * 100)}
    file.write_text(max(texts))
    file.chmod(0o640)
    chance = random.Random(12)
    seen = set()
    for number in range(KILLS_MAX):
        if number >= KILLS and len(seen) == 2:
            break
        with subprocess.Popen([sys.executable, "-c", WRITER, file], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
            time.sleep(chance.uniform(0.005, 0.5))  # somewhere in the midst of it
            writer.kill()
            writer.wait(WAIT_S_MAX)
        found = file.read_text()
        assert found in texts
        seen.add(found)
        assert file.stat().st_mode & 0o777 == 0o640
    assert len(seen) == 2
