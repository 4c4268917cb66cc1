"""What one bad slave of four costs the others, and how soon a line is back after a replug (promise 3).

python -m bench.faults [--seconds 10] [--json]
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from bench import line
from bench.figures import Figure, progress, show

SHARE_MIN, GAP_S_MAX, BACK_S_MAX = 90.0, 0.3, 1.0


def measure(seconds: float) -> list[Figure]:
    """One after the other, at 9600 Bd."""
    figures: list[Figure] = []
    for title, faults in (("is silent", {"silent": True}), ("answers with a wrong CRC", {"damage_every": 1})):
        progress(f"one slave of four {title}: {seconds:.0f} s")
        found = line.faulty(seconds, **faults)
        figures += [
            Figure(
                f"1 slave of 4 {title}: share of the line for the others",
                found["share_of_line"] * 100,
                "%",
                at_least=SHARE_MIN,
            ),
            Figure("  longest time without a reading of a healthy one", found["gap_max_s"], "s", at_most=GAP_S_MAX),
            Figure("  requests before 3.5 characters of silence", found["offences"], at_most=0),
        ]
    progress("five replugs")
    found = line.replug()
    return [
        *figures,
        Figure("replug: port there to first reading, longest of 5", found["back_after_s_max"], "s", at_most=BACK_S_MAX),
        Figure("  CPU while the port is away", found["cpu_share_while_away"] * 100, "% of a core"),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--json", action="store_true", help="one JSON array")
    given = parser.parse_args(arguments)
    logging.getLogger("wattbook").setLevel(logging.ERROR)  # that meters go and come is the purpose here
    sys.setswitchinterval(line.SWITCH_INTERVAL_S)
    show(measure(given.seconds), as_json=given.json)


if __name__ == "__main__":
    main()
