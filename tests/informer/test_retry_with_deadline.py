"""The budget for internal errors: RF-32 (client-go TestRetryWithDeadline)."""

from __future__ import annotations

from kdash.informer.errors import ApiStatusError, TransportError
from kdash.informer.retry_with_deadline import RetryWithDeadline

INTERNAL = ApiStatusError(500, "InternalError", "etcdserver: no leader")


def test_rf32_retry_with_deadline_without_budget_nothing_is_retried() -> None:
    retry = RetryWithDeadline(0)
    retry.after(0, INTERNAL)
    assert not retry.should_retry(0)


def test_rf32_retry_with_deadline_within_the_budget_and_past_it() -> None:
    retry = RetryWithDeadline(10)
    retry.after(0, INTERNAL)
    assert retry.should_retry(5)
    assert retry.should_retry(10)
    assert not retry.should_retry(10.001)


def test_rf32_past_the_budget_the_series_is_forgotten() -> None:
    retry = RetryWithDeadline(10)
    retry.after(0, INTERNAL)
    assert not retry.should_retry(11)
    retry.after(12, INTERNAL)
    assert retry.should_retry(22)


def test_rf32_an_error_a_minute_after_the_last_one_begins_a_new_series() -> None:
    retry = RetryWithDeadline(90)
    retry.after(0, INTERNAL)
    retry.after(59, INTERNAL)
    assert not RetryWithDeadline(90).should_retry(0)
    assert retry.should_retry(90)
    retry.after(119, INTERNAL)
    assert retry.should_retry(119 + 90)


def test_rf32_errors_less_than_a_minute_apart_stay_one_series() -> None:
    retry = RetryWithDeadline(90)
    for at in (0, 59, 118):
        retry.after(at, INTERNAL)
    assert not retry.should_retry(118)


def test_rf32_retry_with_deadline_other_errors_neither_use_the_budget_nor_refresh_it() -> None:
    retry = RetryWithDeadline(10)
    for other in (
        None,
        ApiStatusError(429, "TooManyRequests"),
        TransportError("x"),
        ApiStatusError(410, "Expired"),
    ):
        retry.after(0, other)
    assert not retry.should_retry(0)
    retry.after(5, INTERNAL)
    retry.after(9, ApiStatusError(410, "Expired"))
    assert retry.should_retry(15)
    assert not retry.should_retry(15.5)
