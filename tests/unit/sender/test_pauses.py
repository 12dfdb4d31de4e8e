"""When a sender leaves a provider alone, and when it goes back."""

from fencepost.deliveries import Outcome, OutcomeKind
from sender.pauses import Pause

ACCEPTED = Outcome(OutcomeKind.ACCEPTED, "Queued.")
WRONG_KEY = Outcome(OutcomeKind.UNAVAILABLE, "401: Forbidden", misconfigured=True)
NOBODY_THERE = Outcome(OutcomeKind.UNAVAILABLE, "connection refused")
IN_DOUBT = Outcome(OutcomeKind.UNKNOWN, "no answer in time")


def throttled(seconds: float | None = None) -> Outcome:
    return Outcome(OutcomeKind.THROTTLED, "429: too many", retry_after_seconds=seconds)


def test_all_may_call_a_provider_that_takes_mail() -> None:
    pause = Pause()
    assert pause.allows(0) is None
    pause.observe(ACCEPTED, 0, 0)
    assert pause.allows(0) is None
    assert pause.takes_mail


def test_refusals_double_the_wait_up_to_half_a_minute_and_one_call_finds_out() -> None:
    pause, now, waits = Pause(), 0.0, []
    for _ in range(7):
        pause.observe(NOBODY_THERE, now, now)
        wait = next(second for second in range(100) if pause.allows(now + second))
        assert pause.allows(now + wait) == 1
        waits.append(wait)
        now += wait
    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_calls_that_are_refused_together_count_once() -> None:
    pause = Pause()
    for _ in range(100):
        pause.observe(WRONG_KEY, 0, 0)
    assert pause.allows(0.9) == 0
    assert pause.allows(1) == 1


def test_calls_that_began_before_a_pause_do_not_make_the_next_one_longer() -> None:
    pause = Pause()
    for ended in range(10):
        pause.observe(NOBODY_THERE, 0, ended)
    assert pause.allows(1) == 1
    pause.observe(NOBODY_THERE, 1, 4)
    assert (pause.allows(5.9), pause.allows(6)) == (0, 1)


def test_days_of_refusals_do_not_break_the_arithmetic() -> None:
    pause = Pause(refusals=5000)
    pause.observe(NOBODY_THERE, 0, 0)
    assert pause.allows(29.9) == 0
    assert pause.allows(30) == 1


def test_an_accepted_mail_ends_refusals_with_all_that_was_said_of_them() -> None:
    pause = Pause()
    pause.observe(WRONG_KEY, 0, 0)
    assert (pause.misconfigured, pause.takes_mail) == ("401: Forbidden", False)
    pause.observe(NOBODY_THERE, 1, 1)
    assert pause.away == "connection refused"
    pause.observe(ACCEPTED, 1, 1)
    assert (pause.misconfigured, pause.away, pause.takes_mail) == ("", "", True)
    assert pause.allows(1) is None


def test_a_problem_is_told_until_it_is_over_or_long_ago_and_a_wrong_key_until_it_is_over() -> None:
    pause = Pause()
    pause.observe(NOBODY_THERE, 0, 0)
    assert pause.problem(5.9) == "connection refused"
    assert pause.problem(6) == ""
    pause.observe(WRONG_KEY, 31, 31)
    assert pause.problem(10_000) == "401: Forbidden"
    pause.observe(ACCEPTED, 10_000, 10_000)
    assert pause.problem(10_000) == ""


def test_a_wait_that_was_asked_for_is_kept_even_when_a_late_answer_says_yes() -> None:
    pause = Pause()
    pause.observe(throttled(5), 0, 0)
    pause.observe(ACCEPTED, 1, 1)
    assert pause.allows(4.9) == 0
    assert pause.allows(5) is None


def test_the_longest_wait_that_was_asked_for_counts_and_a_second_where_none_was_named() -> None:
    pause = Pause()
    pause.observe(throttled(5), 0, 0)
    pause.observe(throttled(), 0, 0)
    assert pause.allows(4.9) == 0
    other = Pause()
    other.observe(throttled(), 0, 0)
    assert (other.allows(0.9), other.allows(1)) == (0, None)


def test_doubt_over_and_over_is_like_a_refusal_and_doubt_now_and_then_is_not() -> None:
    pause = Pause()
    for now in range(100):
        pause.observe(IN_DOUBT, now, now)
        pause.observe(ACCEPTED if now % 5 == 0 else IN_DOUBT, now, now)
        assert pause.allows(now) is None
    for _ in range(10):
        pause.observe(IN_DOUBT, 200, 200)
    assert pause.allows(200.9) == 0
    assert pause.allows(201) == 1
    assert pause.away == "no answer in time"
