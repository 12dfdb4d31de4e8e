"""The report of many runs, for people: docs/fault-report.md."""

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Row = Mapping[str, Any]
"""A summary, as JSON."""


def report(runs: Sequence[Row], versions: Mapping[str, str], today: datetime | None = None) -> str:
    """Markdown."""
    total, faults, answers = (_added(run[name] for run in runs) for name in ("counts", "faults", "answers"))
    seeds = sorted(run["seed"] for run in runs)
    lost = sum(problem.startswith("lost:") for run in runs for problem in run["problems"])
    broken = sum(len(run["problems"]) for run in runs)
    servers = ", ".join(f"{name} {version}" for name, version in versions.items())
    lines = [
        "# Fault report",
        "",
        f"{today or datetime.now(UTC):%Y-%m-%d}, `make chaos SEEDS={len(seeds)} FIRST_SEED={seeds[0]}`, on {servers}:"
        f" {len(runs)} runs. Each run is a fresh cluster of three senders, a registry, a notifier and five providers on a"
        " three-member MongoDB replica set, etcd and Redis.",
        "",
        "| | |",
        "|---|---|",
        *_table(
            ("seeds", f"{seeds[0]} to {seeds[-1]}"),
            ("occurrences", sum(run["occurrences"] for run in runs)),
            ("mails on record", total["mails"]),
            ("of these by POST /emails", total["by_api"]),
            ("accepted by a provider", total["sent"]),
            ("asked of more than one provider", total["moved"]),
            ("facts told to an endpoint of webhooks", total["told"]),
            ("**duplicated**", f"**{total['duplicated']}**"),
            ("**lost**", f"**{lost}**"),
            ("sent, and not on record as sent: held where no records can be asked", total["sent_but_unrecorded"]),
            ("unknown at the end", total["unknown"]),
            ("held, listed and with an alarm", total["held"]),
            ("failed: refused by a provider", total["failed"]),
            ("cancelled: a pause, a delete, an edit or a person took it back", total["cancelled"]),
            ("broken rules of the checker", broken),
            ("API calls without an answer", sum(run["calls_without_answer"] for run in runs)),
            ("left unknown by one killed sender, at most", max(run["death_unknown"] for run in runs)),
            (
                "after its death what it had claimed was sent within",
                f"{max(run['death_seconds'] for run in runs):.1f} s",
            ),
        ),
        "",
        "| lateness of accepted mail, seconds | mails | p50 | p99 | max |",
        "|---|---|---|---|---|",
        _quantiles("no fault between due and accepted", [late for run in runs for late in run["calm"]]),
        _quantiles("a fault in between, or called more than once", [late for run in runs for late in run["troubled"]]),
        "",
        _HOW_TO_READ,
        "",
        f"## Faults: {faults.total()}",
        "",
        "| kind | times |",
        "|---|---|",
        *_table(*sorted(faults.items())),
        "",
        f"## The providers' answers: {answers.total()} requests",
        "",
        "| answer | times |",
        "|---|---|",
        *_table(*sorted(answers.items())),
        "",
    ]
    return "\n".join(lines)


COSTS, SOAK = "## What a lost sender and a lost leader cost", "## Soak"
_OWN = (COSTS, SOAK)
"""Sections that have a command of their own; they stand at the end, in this order."""


def with_sections(text: str, sections: Mapping[str, str]) -> str:
    """The report with these sections, by heading, instead of those that it had."""
    first = _split(text)[0]
    found = own_sections(text) | dict(sections)
    return "\n\n".join(part.rstrip() for part in (first, *(found[name] for name in _OWN if name in found))) + "\n"


def own_sections(text: str) -> dict[str, str]:
    """The sections of a report that have a command of their own, by heading."""
    return {part.partition("\n")[0]: part for part in _split(text)[1:]}


def _split(text: str) -> list[str]:
    return re.split(rf"^(?=(?:{'|'.join(map(re.escape, _OWN))})$)", text, flags=re.MULTILINE)


def costs_section(figures: Sequence[Row], today: datetime | None = None) -> str:
    """The section about what was measured by the tests that lose one server or sender after the other: rows of {"what", "seconds",
    "bound"}."""
    lines = [
        COSTS,
        "",
        f"{today or datetime.now(UTC):%Y-%m-%d}, `python -m tests.chaos.costs`: the most seconds that a mail was late which had"
        " not passed the fence, round after round.",
        "",
        "| what was lost | rounds | p50 | max | bound |",
        "|---|---|---|---|---|",
    ]
    for what in dict.fromkeys(row["what"] for row in figures):
        rows = [row for row in figures if row["what"] == what]
        seconds = [row["seconds"] for row in rows]
        most = max(row["bound"] for row in rows)
        lines.append(
            f"| {what} | {len(rows)} | {statistics.median(seconds):.1f} s | {max(seconds):.1f} s | {most:.1f} s |"
        )
    return "\n".join([*lines, ""])


def soak_section(
    run: Row, minutes: float, held: Mapping[str, tuple[float, float]], remembered: int, today: datetime | None = None
) -> str:
    """The section about one long run. `held` is what was held in the second quarter of the time and in the last, by name."""
    counts: Counter[str] = Counter(run["counts"])
    faults = sum(run["faults"].values())
    lost = sum(problem.startswith("lost:") for problem in run["problems"])
    names = {
        "memory_mb": "memory of the sender that was never ended, MiB",
        "descriptors": "its file descriptors",
        "threads": "its threads",
        "leases": "leases in etcd",
        "keys": "keys in etcd",
        "connections": "connections to MongoDB",
    }
    lines = [
        SOAK,
        "",
        f"{today or datetime.now(UTC):%Y-%m-%d}, `python -m tests.chaos.soak --minutes {minutes:g} --seed {run['seed']}`: three senders,"
        f" {faults} faults, {run['occurrences']} occurrences, {counts['sent']} mails accepted; duplicated **{counts['duplicated']}**,"
        f" lost **{lost}**, held {counts['held']}, unknown at the end {counts['unknown']}. Medians of the second quarter of the time and"
        f" of the last; {remembered} keys of the fence in Redis at the end, which expire after a week.",
        "",
        "| held | second quarter | last quarter |",
        "|---|---|---|",
        *(f"| {names[name]} | {early:g} | {late:g} |" for name, (early, late) in held.items()),
        "",
    ]
    return "\n".join(lines)


_HOW_TO_READ = (
    "How to read it: the verdict is that of a checker that shares no code with Fencepost; it compares what people asked of the"
    " API, the providers' own ledgers, what is on record in the end, and what an endpoint of webhooks was told. Duplicated and lost must be 0: a mail accepted twice,"
    " and a due instant that is on no record. Held is the price of a lost reply under `on_unknown: hold` (about half of the"
    " schedules here) when the provider's records show no trace: nobody guesses, a person decides. All frozen processes went on"
    " within the settling window of 14 s, which is what `resend` relies on; clocks are one machine's. A killed sender leaves more"
    " unknown than its 30 seats only where Redis had lost its memory as well, and mail without a fault of its own is late mostly"
    " because the provider was still left alone after an earlier one. So this is evidence"
    " about these faults, not a proof, and never “exactly once”. A seed repeats the plan of a run, not its timing."
)


def _added(many: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in many:
        total.update(one)
    return total


def _table(*rows: tuple[str, object]) -> list[str]:
    return [f"| {name} | {value} |" for name, value in rows]


def _quantiles(name: str, seconds: Sequence[float]) -> str:
    if not seconds:
        return f"| {name} | 0 | | | |"
    ordered = sorted(seconds)
    p50, p99 = (ordered[int(part * (len(ordered) - 1))] for part in (0.5, 0.99))
    return f"| {name} | {len(ordered)} | {p50:.2f} | {p99:.2f} | {ordered[-1]:.2f} |"
