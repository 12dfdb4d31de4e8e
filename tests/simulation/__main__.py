"""`make simulate SEEDS=n FIRST_SEED=s`: run so many seeds on all processors; at the first violation tell its story and end with
status 1. The same seed is the same run, whatever ran before it.

    python -m tests.simulation --seeds 100000 --first-seed 1
"""

import argparse
import sys
import time
from collections import Counter
from multiprocessing import Pool

from tests.simulation.runs import Outcome, run

PROCESSES = 2
_TOLD_LINES = 400


def story(outcome: Outcome) -> str:
    """What happened in a run, for people."""
    told = run(outcome.seed, tell=True).story
    lines = [*(["..."] if len(told) > _TOLD_LINES else []), *told[-_TOLD_LINES:]]
    return "\n".join([*lines, f"seed {outcome.seed}: {outcome.violation}"])


def simulate(seeds: int, first_seed: int, processes: int = PROCESSES) -> int:
    """Run them; the exit status."""
    started, total = time.monotonic(), Counter[str]()
    with Pool(processes) as pool:
        for outcome in pool.imap_unordered(run, range(first_seed, first_seed + seeds), chunksize=50):
            if outcome.violation:
                pool.terminate()
                print(story(outcome))
                print(f"Again: make simulate SEEDS=1 FIRST_SEED={outcome.seed}")
                return 1
            total.update(runs=1, events=outcome.steps, mails=outcome.mails, calls=outcome.calls)
            if total["runs"] % 10_000 == 0:
                print(f"{total['runs']:,} seeds", flush=True)
    minutes = (time.monotonic() - started) / 60
    print(
        f"Seeds {first_seed} to {first_seed + seeds - 1}: no violation in {total['runs']:,} runs,"
        f" {total['mails']:,} mails, {total['calls']:,} calls, {total['events']:,} events; {minutes:.1f} minutes."
    )
    return 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100_000)
    parser.add_argument("--first-seed", type=int, default=1)
    given = parser.parse_args(arguments)
    return simulate(given.seeds, given.first_seed)


if __name__ == "__main__":
    sys.exit(main())
