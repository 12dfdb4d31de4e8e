"""`make chaos`: random faults under load, run after run, each judged by the history checker.

    python -m tests.chaos --seeds 20 --first-seed 1 [--jobs 3] [--report docs/fault-report.md] [--folder DIR]

Exit status 1 at the first violation; the folder of its run is kept, with logs, history and states. Given the folder of a run that
was broken off, it goes on with the seeds that are missing.
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.checker import check
from tests.chaos.ground import versions
from tests.chaos.logs import complaints
from tests.chaos.report import own_sections, report, with_sections
from tests.chaos.run import Run, Site
from tests.chaos.summary import Summary, summary

_SUMMARY = "summary.json"


def say(text: str) -> None:
    print(text, flush=True)


def run_seed(site: Site, folder: Path, seed: int) -> Summary:
    """One run and its verdict; a run without violations leaves its summary alone in `folder`."""
    run = Run(site, folder)
    try:
        run.start()
        run.play(seed)
        history = run.finish()
    finally:
        run.close()
    problems = check(history) + complaints(folder)
    if history["progress"]:
        problems.insert(0, history["progress"])
    found = summary(seed, history, problems)
    if not problems:
        shutil.rmtree(folder)
        folder.mkdir()
    (folder / _SUMMARY).write_text(json.dumps(found.as_json()))
    return found


def _is_done(written: Path) -> bool:
    return written.exists() and not json.loads(written.read_text())["problems"]


def work(folder: Path, seeds: Sequence[int]) -> int:
    """Run these seeds one after the other on servers of their own; the exit status."""
    site = Site(folder / f"site-{seeds[0]}")
    try:
        for seed in seeds:
            if _is_done(folder / f"seed-{seed}" / _SUMMARY):
                continue
            begun = time.monotonic()
            found = run_seed(site, folder / f"seed-{seed}", seed)
            counts = found.counts
            verdict = f"{len(found.problems)} VIOLATIONS" if found.problems else "as it should be"
            say(
                f"seed {seed}: {found.occurrences} occurrences, {sum(found.faults.values())} faults, {counts['sent']} sent,"
                f" {counts['duplicated']} twice, {counts.get('held', 0)} held, {time.monotonic() - begun:.0f} s: {verdict}"
            )
            if found.problems:
                for problem in found.problems[:20]:
                    say(f"  {problem}")
                say(f"  seed {seed} is kept in {folder / f'seed-{seed}'}")
                return 1
    finally:
        site.close()
    return 0


def work_side_by_side(folder: Path, seeds: Sequence[int], jobs: int) -> int:
    """The same by several processes; the first violation ends all of them."""
    parts = [seeds[number::jobs] for number in range(jobs) if seeds[number::jobs]]
    command = [sys.executable, "-m", "tests.chaos", "--folder", str(folder), "--part"]
    workers = [subprocess.Popen([*command, ",".join(map(str, part))]) for part in parts]
    try:
        while any(worker.poll() is None for worker in workers):
            if any(worker.poll() for worker in workers):
                return 1
            time.sleep(0.2)
        return max(worker.returncode for worker in workers)
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.terminate()
            worker.wait()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    options = parser.parse_args()
    # Whoever is told to stop ends the servers that it started.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    folder: Path = options.folder or Path(tempfile.mkdtemp(prefix="fencepost-chaos-"))
    if options.part:
        return work(folder, [int(seed) for seed in options.part.split(",")])
    begun, servers = time.monotonic(), versions()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    status = work_side_by_side(folder, seeds, options.jobs)
    seconds = time.monotonic() - begun
    runs = [json.loads(path.read_text()) for path in sorted(folder.glob(f"seed-*/{_SUMMARY}"))]
    say(f"{len(runs)} runs, {sum(run['occurrences'] for run in runs)} occurrences, {seconds / 60:.1f} minutes")
    if options.report and runs:
        before = options.report.read_text() if options.report.exists() else ""
        options.report.write_text(with_sections(report(runs, servers), own_sections(before)))
        say(f"the report is in {options.report}")
    if status == 0 and options.folder is None:
        shutil.rmtree(folder)
    return status


if __name__ == "__main__":
    sys.exit(main())
