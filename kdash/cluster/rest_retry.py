"""What client-go's REST client repeats below the reflector, unseen by it (tests/golden/README.md, "Layers").

Contract: `pause_before_repeat` is pure and decides; `repeat` carries it out with an injected clock, and its
waits end at once on cancel. The tap sees every attempt as a request of its own. Ports rest/with_retry.go
`IsNextRetry` and the two users of it, `Request.request` and `Request.Watch`.

The rules, for at most ten repeats of one request:
- an answer 429 or 5xx with `Retry-After: N` (a whole number) is repeated after N seconds;
- a GET that ended in a reset or end of file before an answer is repeated after 1 s;
- a watch is also repeated after a time-out; if it still fails so after the last repeat it counts as a stream
  without events, not as an error;
- everything else goes to the reflector.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from kdash.cluster.errors import RequestTimeout
from kdash.cluster.transport import Answer
from kdash.informer.clock import Clock
from kdash.informer.errors import ConnectionReset, StopRequested, TransportError, UnexpectedEOF
from kdash.informer.list_watch import CancelToken

__all__ = ["MAX_REPEATS", "is_empty_watch", "pause_before_repeat", "repeat", "wait_cancellable"]

MAX_REPEATS = 10
_PAUSE_AFTER_LOST_CONNECTION_S = 1.0


def _is_retryable(error: TransportError, watching: bool) -> bool:
    if isinstance(error, ConnectionReset | UnexpectedEOF):
        return True
    return watching and isinstance(error, RequestTimeout)


def pause_before_repeat(
    repeats: int,
    *,
    code: int = 0,
    retry_after_s: int | None = None,
    error: TransportError | None = None,
    watching: bool = False,
) -> float | None:
    """Seconds to wait before the request goes out again, or None to leave it.

    `repeats` have been made; the last attempt gave either an answer (`code`, `retry_after_s`) or `error`.
    """
    if repeats >= MAX_REPEATS:
        return None
    if error is not None:
        return _PAUSE_AFTER_LOST_CONNECTION_S if _is_retryable(error, watching) else None
    if (code == 429 or code >= 500) and retry_after_s is not None:
        return float(max(retry_after_s, 0))
    return None


def is_empty_watch(error: TransportError) -> bool:
    """A watch whose last repeat ended so counts as opened and closed without an event."""
    return _is_retryable(error, watching=True)


def wait_cancellable(seconds: float, clock: Clock, cancel: CancelToken) -> None:
    """Wait on `clock`; raises `StopRequested` as soon as `cancel` is cancelled."""
    condition = threading.Condition()

    def wake() -> None:
        with condition:
            condition.notify_all()

    forget = cancel.on_cancel(wake)
    due_at = clock.monotonic() + seconds
    try:
        with condition:
            while not cancel.cancelled and (left := due_at - clock.monotonic()) > 0:
                clock.wait(condition, left)
    finally:
        forget()
    if cancel.cancelled:
        raise StopRequested("the wait before a repeated request was cancelled")


def repeat(send: Callable[[int], Answer], clock: Clock, cancel: CancelToken, *, watching: bool) -> Answer:
    """Call `send(attempt)`, attempt counting from 1, until its outcome is one to hand on."""
    for repeats in range(MAX_REPEATS + 1):
        try:
            answer = send(repeats + 1)
        except TransportError as e:
            pause_s = pause_before_repeat(repeats, error=e, watching=watching)
            if pause_s is None:
                raise
        else:
            pause_s = pause_before_repeat(
                repeats, code=answer.code, retry_after_s=answer.retry_after_s, watching=watching
            )
            if pause_s is None:
                return answer
            answer.error()  # reads the body, so that the connection can be used again
        wait_cancellable(pause_s, clock, cancel)
    raise AssertionError("pause_before_repeat allowed more than MAX_REPEATS repeats")
