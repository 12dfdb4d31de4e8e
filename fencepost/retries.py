"""When a mail that was provably not accepted is tried again. Pure: state and a random number in, a wait out."""

from fencepost.deliveries import Outcome


def wait_seconds(outcome: Outcome, failures: int, *, base_seconds: float, cap_seconds: float, chance: float) -> float:
    """Seconds until the next attempt, after `failures` calls that were not accepted (1 or more).

    Full jitter: anything up to base x 2^(failures - 1), capped, so that mails that failed together do not come back
    together. A wait that the provider stated is a lower bound. `chance` is a random number from 0 up to 1.
    """
    ceiling = min(cap_seconds, base_seconds * 2.0 ** min(failures - 1, 32))
    return max(outcome.retry_after_seconds or 0.0, ceiling * chance)
