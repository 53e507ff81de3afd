"""The time budget within which internal errors of a watch are answered by watching again (RF-32).

Contract: pure; callers pass the monotonic instant. `after` is told every outcome of a watch and only
counts the errors that `is_retryable` names; other errors neither use the budget up nor refresh it. Not
thread-safe. Port of client-go's `retryWithDeadlineImpl`.
"""

from __future__ import annotations

from collections.abc import Callable

from kdash.informer.errors import is_internal_error

__all__ = ["RetryWithDeadline"]


class RetryWithDeadline:
    """Allows retries for `max_retry_s` after the first error of a series; 0 allows none."""

    def __init__(
        self,
        max_retry_s: float,
        min_reset_period_s: float = 60.0,
        is_retryable: Callable[[BaseException | None], bool] = is_internal_error,
    ) -> None:
        """An error that comes `min_reset_period_s` or more after the previous one begins a new series."""
        self._max_retry_s = max_retry_s
        self._min_reset_period_s = min_reset_period_s
        self._is_retryable = is_retryable
        self._first_error_at: float | None = None
        self._last_error_at = 0.0

    def after(self, now: float, error: BaseException | None) -> None:
        """Take note of how an attempt ended (None: well)."""
        if not self._is_retryable(error):
            return
        if self._first_error_at is None or now - self._last_error_at >= self._min_reset_period_s:
            self._first_error_at = now
        self._last_error_at = now

    def should_retry(self, now: float) -> bool:
        """Whether the budget allows one more attempt; when it is used up, the series is forgotten."""
        if self._max_retry_s <= 0:
            return False
        if self._first_error_at is not None and now - self._first_error_at <= self._max_retry_s:
            return True
        self._first_error_at = None
        return False
