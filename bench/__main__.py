"""Everything that wattbook promises in figures, measured on this machine, in one table.

    python -m bench                               all of it, about twenty minutes
    python -m bench --quick                       a short pass, about four minutes; figures are rougher
    python -m bench --only daemon startup         some of it
    python -m bench --json FILE                   the figures for programs
    python -m bench --write docs/performance.md   the table into the page, between its two markers

Each bench is a program of its own (`python -m bench.daemon --help`). A target that is missed is marked and is no
failure: the exit code is always 0.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench import machine
from bench.figures import HEAD, Figure, parse, progress, table

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
_S_MAX = 1200.0  # of one bench; the longest takes four minutes


@dataclass(frozen=True, slots=True)
class Bench:
    """One program and what it is called with."""

    name: str
    module: str
    full: str
    quick: str


BENCHES = (
    Bench("daemon", "daemon", "--seconds 40", "--seconds 8"),
    Bench("peers", "peers", "--seconds 15", "--seconds 5"),
    Bench("tcp", "tcp", "--seconds 15", "--seconds 5"),
    Bench("faults", "faults", "--seconds 15", "--seconds 8"),
    Bench("cycle", "cycle", "--seconds 15", "--seconds 5"),
    Bench("optical", "optical", "--readouts 5", "--readouts 1"),
    Bench("telegram", "telegram", "--telegrams 60", "--telegrams 14"),
    Bench("mqtt", "ingest_mqtt", "--messages 300000", "--messages 60000"),
    Bench("mqtt-kills", "ingest_mqtt", "--messages 300000 --kills 3", "--messages 100000 --kills 3"),
    Bench("mqtt-paho", "ingest_mqtt", "--messages 100000 --client paho5", "--messages 30000 --client paho5"),
    Bench("http", "ingest_http", "--readings 1000000", "--readings 200000"),
    Bench("commits", "commits", "--ticks 5000 --rounds 5", "--ticks 1000 --rounds 3"),
    Bench("history", "history", "--days 30", "--days 5 --no-decade"),
    Bench("sealing", "sealing", "--days 30", "--days 5"),
    Bench("stores", "store_peers", "--days 30 --year", "--days 5"),
    Bench("sinks", "sinks", "", "--samples 1000000 --seconds 20 --rounds 1"),
    Bench("page", "page", "--rounds 9 --seconds 60", "--rounds 3 --seconds 20 --days 150"),
    Bench("startup", "startup", "--rounds 5 --seconds 20", "--rounds 2 --seconds 10"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one bench found, or why it found nothing."""

    bench: Bench
    figures: Sequence[Figure]
    failure: str = ""

    @property
    def rows(self) -> list[tuple[str, str, str, str]]:
        """For the table."""
        rows = [figure.row for figure in self.figures]
        return [*rows, (f"{self.bench.name}: {self.failure}", "", "", "FAILED")] if self.failure else rows


def run(bench: Bench, *, quick: bool) -> Outcome:
    """Run it in a process of its own."""
    progress(f"{bench.name}, load average {machine.load_average():.2f}")
    arguments = (bench.quick if quick else bench.full).split()
    try:
        done = subprocess.run(
            [sys.executable, "-m", f"bench.{bench.module}", *arguments, "--json"],
            stdout=subprocess.PIPE, text=True, timeout=_S_MAX, check=True,
        )  # fmt: skip
        return Outcome(bench, parse(done.stdout))
    except subprocess.CalledProcessError as error:
        return Outcome(bench, (), f"exit code {error.returncode}; its words are on standard error")
    except subprocess.TimeoutExpired:
        return Outcome(bench, (), f"not done within {_S_MAX:.0f} s")


def heading(*, quick: bool, began: datetime, load_before: float) -> str:
    """What the figures depend on, in one line."""
    kind = "quick pass" if quick else "full run"
    load = f"load average {load_before:.2f} before and {machine.load_average():.2f} after"
    return f"{machine.describe()}; {began:%Y-%m-%d %H:%M} UTC, {kind}, {load}"


def summary(outcomes: Sequence[Outcome]) -> str:
    """How many targets are met, and which are not."""
    judged = [figure for outcome in outcomes for figure in outcome.figures if figure.met is not None]
    missed = [figure for figure in judged if not figure.met]
    failed = [outcome.bench.name for outcome in outcomes if outcome.failure]
    told = f"{len(judged) - len(missed)} of {len(judged)} targets met"
    return told + (f"; {len(failed)} failed: {', '.join(failed)}" if failed else "")


def markdown(outcomes: Sequence[Outcome], head: str) -> str:
    """The table for the page."""
    lines = [head + ".", "", "| " + " | ".join(HEAD) + " |", "|---|---:|---|---|"]
    for outcome in outcomes:
        for what, measured, target, met in outcome.rows:
            shown = f"· {what.strip()}" if what.startswith("  ") else f"**{what}**"
            lines.append(f"| {shown} | {measured} | {target} | {f'**{met}**' if met not in ('', 'yes') else met} |")
    return "\n".join([*lines, "", summary(outcomes) + "."])


def write_page(path: Path, text: str) -> None:
    """Replace what stands between the markers."""
    page = path.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{path}: the markers {BEGIN} and {END} are not there; nothing was written")
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=[bench.name for bench in BENCHES], metavar="NAME", default=[])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--write", type=Path, metavar="PAGE")
    given = parser.parse_args()
    began, load_before, began_s = datetime.now(UTC), machine.load_average(), time.monotonic()
    chosen = [bench for bench in BENCHES if not given.only or bench.name in given.only]
    outcomes = [run(bench, quick=given.quick) for bench in chosen]
    head = heading(quick=given.quick, began=began, load_before=load_before)
    print(table(row for outcome in outcomes for row in outcome.rows))
    print(f"\n{head}\n{summary(outcomes)}; {time.monotonic() - began_s:.0f} s")
    if given.json:
        found = {outcome.bench.name: [asdict(figure) for figure in outcome.figures] for outcome in outcomes}
        given.json.write_text(json.dumps({"run": head, "benches": found}, indent=1) + "\n", encoding="utf-8")
    if given.write:
        write_page(given.write, markdown(outcomes, head))


if __name__ == "__main__":
    main()
