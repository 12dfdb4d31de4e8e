"""Metrics: one process's own, in Prometheus's format. Several workers together: tests/integration/test_serving.py."""

from fencepost.metrics import Metrics


def test_names_carry_the_prefix_and_labels() -> None:
    metrics = Metrics()
    metrics.counter("accepted_total", "Accepted.", ["provider"]).labels("mailgun").inc(2)
    metrics.gauge("lag_seconds", "Lag.").set(1.5)
    metrics.seconds("call_seconds", "Calls.").observe(0.02)
    text = metrics.exposition().decode()
    assert 'fencepost_accepted_total{provider="mailgun"} 2.0' in text
    assert "fencepost_lag_seconds 1.5" in text
    assert 'fencepost_call_seconds_bucket{le="0.025"} 1.0' in text


def test_two_sets_of_metrics_do_not_meet() -> None:
    first, second = Metrics(), Metrics()
    first.counter("a_total", "A.").inc()
    second.counter("a_total", "A.")
    assert b"fencepost_a_total 1.0" in first.exposition()
    assert b"fencepost_a_total 0.0" in second.exposition()
