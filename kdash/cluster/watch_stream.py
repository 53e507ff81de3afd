"""A watch's answer as batches of events: bytes to lines to objects, each byte looked at once.

Contract (client-go `StreamWatcher`): end of file, a reset, a line cut short, a read time-out and `stop` end
the stream silently; a complete line that is no event ends it with an ERROR event of code 500. One thread
calls `next_batch`; `stop` may be called from any thread. Hot path: nothing here locks, logs or copies per
event but the object's own bytes.

An API server always writes `{"type":"ADDED","object":{…}}`, so the object is a slice of the line, found by
the fixed prefix and suffix; `KubeObject.from_bytes` checks the slice, and a line that looks otherwise is
parsed in general.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence

import msgspec

from kdash.cluster.errors import clean_text
from kdash.cluster.failures import outcome_of
from kdash.cluster.transport import Answer
from kdash.informer.clock import Clock
from kdash.informer.errors import ApiStatusError, DecodeError, InformerError, StatusCause, StopRequested
from kdash.informer.limits import LARGEST_OBJECT
from kdash.informer.list_watch import WatchEvent
from kdash.informer.object_decoding import DECODING_ERRORS, repaired_text
from kdash.informer.objects import KubeObject

__all__ = ["EmptyWatchStream", "EventDecoder", "HttpWatchStream"]

_REARM_S = 5.0
_END_ANNOTATION = "k8s.io/initial-events-end"
_TYPES = ("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR")
_PREFIXES = {
    ord(kind[0]): (kind, prefix := b'{"type":"%s","object":' % kind.encode(), len(prefix))
    for kind in _TYPES[:3]
}
_FIRST_LETTER_AT = len(b'{"type":"')
_BRACE = ord("{")
_from_bytes = KubeObject.from_bytes
_new_event = tuple.__new__  # what WatchEvent(…) does, without its argument handling


class _Frame(msgspec.Struct):
    type: str
    object: msgspec.Raw


def _frame_of(line: bytes) -> _Frame:
    try:
        return msgspec.json.decode(line, type=_Frame)
    except DECODING_ERRORS as e:
        with contextlib.suppress(DecodeError):
            return msgspec.json.decode(repaired_text(line, e), type=_Frame)
        raise


def _undecodable(why: str, size: int) -> WatchEvent:
    """As client-go reports a frame it cannot decode (`NewClientErrorReporter(500, …,
    "ClientWatchDecoding")`).
    """
    said = f"unable to decode an event from the watch stream: {why}"
    message = f"an error on the server ({said!r}) has prevented the request from succeeding"
    status = ApiStatusError(500, "InternalError", message, (StatusCause("ClientWatchDecoding", said),))
    return WatchEvent("ERROR", None, status, size)


class EventDecoder:
    """Body pieces in, events out. After an undecodable line `broken` is true and nothing more comes out."""

    def __init__(self) -> None:
        self.broken = False
        self._cut = bytearray()  # the line whose end has not come yet

    def feed(self, pieces: list[bytes]) -> list[WatchEvent]:
        """All events that are complete after these bytes, in order."""
        events: list[WatchEvent] = []
        if self.broken:
            return events
        append, decode = events.append, self._decode
        for piece in pieces:
            at = piece.find(b"\n")
            if at == len(piece) - 1 and piece[0] == _BRACE and not self._cut:
                # one event a chunk is what API servers send
                append(decode(piece))
            elif at < 0:
                self._cut += piece
                if len(self._cut) > LARGEST_OBJECT:
                    append(self._reject("a line of the stream has no end", len(self._cut)))
            else:
                self._feed_lines(piece, at, append)
            if self.broken:
                break
        if self.broken:
            self._cut.clear()
        return events

    def _feed_lines(self, piece: bytes, at: int, append: Callable[[WatchEvent], None]) -> None:
        """Several lines in one piece, the first of which ends at `at`; `find`, unlike `split`, is quick."""
        start, find = 0, piece.find
        if self._cut:
            self._cut += piece[:at]
            line = bytes(self._cut)
            self._cut = bytearray()
            if not line.isspace():
                append(self._decode(line))
            start, at = at + 1, find(b"\n", at + 1)
        while at >= 0 and not self.broken:
            if at > start:
                event = self._decode_within(piece, start, at)
                if event is not None:
                    append(event)
            start, at = at + 1, find(b"\n", at + 1)
        if start < len(piece) and not self.broken:
            self._cut += piece[start:]

    def _decode_within(self, piece: bytes, start: int, end: int) -> WatchEvent | None:
        """The event of the line from `start` to `end`, without a copy of the line; None for a blank one."""
        known = _PREFIXES.get(piece[start + _FIRST_LETTER_AT]) if end - start > _FIRST_LETTER_AT else None
        if known is not None and piece.startswith(known[1], start) and piece[end - 2 : end] == b"}}":
            try:
                obj = _from_bytes(piece[start + known[2] : end - 1])
            except DecodeError:
                return self._decode(piece[start:end])  # says what is wrong, or that nothing is
            if obj.kind:
                return _new_event(WatchEvent, (known[0], obj, None, end - start, False))
        line = piece[start:end]
        return None if line.isspace() else self._decode(line)

    def end(self) -> list[WatchEvent]:
        """The event in a last line that lacks only its newline, if there is one; a cut line is dropped."""
        line = bytes(self._cut)
        self._cut.clear()
        if self.broken or not line.rstrip().endswith(b"}"):
            return []
        event = self._decode(line)
        return [] if self.broken else [event]

    @property
    def is_mid_line(self) -> bool:
        return bool(self._cut)

    def _reject(self, why: str, size: int) -> WatchEvent:
        self.broken = True
        return _undecodable(why, size)

    def _decode(self, line: bytes) -> WatchEvent:
        size = len(line)
        known = _PREFIXES.get(line[_FIRST_LETTER_AT]) if size > _FIRST_LETTER_AT else None
        if known is not None and line.startswith(known[1]):
            end = size - 2 if line.endswith(b"}}\n") else size - 1 if line.endswith(b"}}") else 0
            try:
                obj = _from_bytes(line[known[2] : end])
            except DecodeError:
                return self._decode_any(line, size)  # says what is wrong, or that nothing is
            if obj.kind:
                return _new_event(WatchEvent, (known[0], obj, None, size, False))
        return self._decode_any(line, size)

    def _decode_any(self, line: bytes, size: int) -> WatchEvent:
        try:
            frame = _frame_of(line)
        except DECODING_ERRORS as e:
            return self._reject(clean_text(str(e)), size)
        raw = bytes(frame.object)
        if frame.type == "ERROR":
            return self._decode_error(raw, size)
        if frame.type not in _TYPES:
            return self._reject(f"got invalid watch event type: {clean_text(frame.type, 40)}", size)
        try:
            obj = KubeObject.from_bytes(raw)
        except DecodeError as e:
            return self._reject(clean_text(str(e)), size)
        if not obj.kind:
            return self._reject("Object 'Kind' is missing", size)
        is_end = frame.type == "BOOKMARK" and _marks_initial_events_end(raw)
        return WatchEvent(frame.type, obj, None, size, is_end)

    def _decode_error(self, raw: bytes, size: int) -> WatchEvent:
        try:
            status = msgspec.json.decode(raw)
        except DECODING_ERRORS as e:
            return self._reject(clean_text(str(e)), size)
        if not isinstance(status, dict) or not status.get("kind"):
            return self._reject("the object of an ERROR event is no Status", size)
        error = ApiStatusError.from_status(status)
        error.message = clean_text(error.message, 1000)
        error.args = (error.message or error.reason or f"HTTP {error.code}",)
        return WatchEvent("ERROR", None, error, size)


class _Annotated(msgspec.Struct):
    class Meta(msgspec.Struct):
        annotations: dict[str, str] | None = None

    class Row(msgspec.Struct):
        object: _Annotated | None = None

    metadata: Meta | None = None
    rows: list[Row] | None = None


def _marks_initial_events_end(raw: bytes) -> bool:
    if b"initial-events-end" not in raw:
        return False
    try:
        bookmark: _Annotated | None = msgspec.json.decode(raw, type=_Annotated)
    except DECODING_ERRORS:
        return False
    if bookmark is not None and bookmark.rows:  # a Table carries it in its only row
        bookmark = bookmark.rows[0].object
    meta = bookmark.metadata if bookmark is not None else None
    return meta is not None and (meta.annotations or {}).get(_END_ANNOTATION) == "true"


class EmptyWatchStream:
    """A watch that was over before it began (client-go `NewEmptyWatch`)."""

    def next_batch(self) -> Sequence[WatchEvent]:
        return ()

    def stop(self) -> None:
        return None


class HttpWatchStream:
    """`WatchStream` over one answer.

    `silence_s` is the longest time without a byte that is allowed: the server was asked to end the watch
    itself before that, so a longer silence is a dead connection. It shrinks as the watch grows older than
    `_REARM_S` steps. `stall_s`, if given, caps it.
    """

    def __init__(self, answer: Answer, clock: Clock, silence_s: float, stall_s: float | None = None) -> None:
        self._answer = answer
        self._clock = clock
        self._ends_at = clock.monotonic() + silence_s
        self._silence_s, self._stall_s = silence_s, stall_s
        self._armed_at = float("-inf")
        self._read_since = 0.0
        self._decoder = EventDecoder()
        self._lock = threading.Lock()  # guards _reading and _stopped
        self._reading = False
        self._stopped = False
        self._over = False

    def next_batch(self) -> Sequence[WatchEvent]:
        with self._lock:
            if self._over or self._stopped:
                return ()
            self._read_since = self._clock.monotonic()
            self._reading = True
        try:
            return self._next()
        finally:
            with self._lock:
                self._reading = False
                close_late = self._stopped
            if close_late:
                self._finish("stopped")

    @property
    def silent_since(self) -> float | None:
        """See `kdash.informer.watch_guard.TimedWatchStream`."""
        return max(self._read_since, self._answer.last_byte_at) if self._reading else None

    def _next(self) -> Sequence[WatchEvent]:
        answer, feed = self._answer, self._decoder.feed
        while True:
            now = self._clock.monotonic()
            if now - self._armed_at > _REARM_S:
                self._arm(now)
            try:
                pieces = answer.read1()
            except InformerError as e:
                return self._end(outcome_of(e), "" if isinstance(e, StopRequested) else str(e))
            if not pieces:
                return self._end("cut" if self._decoder.is_mid_line else "closed")
            events = feed(pieces)
            if events:
                if self._decoder.broken:
                    self._finish("error", "a line of the stream is no event")
                return events

    def _arm(self, now: float) -> None:
        self._armed_at = now
        silence_s = max(self._ends_at - now, 1.0)
        answer_within_s = silence_s if self._stall_s is None else min(silence_s, self._stall_s)
        self._answer.set_read_timeout(answer_within_s)

    def _end(self, outcome: str, error: str = "") -> Sequence[WatchEvent]:
        last = self._decoder.end() if outcome in ("closed", "cut") else []
        self._finish(outcome, error)
        return last

    def _finish(self, outcome: str, error: str = "") -> None:
        self._over = True
        self._answer.close("stopped" if self._stopped else outcome, "" if self._stopped else error)

    def stop(self) -> None:
        with self._lock:
            if self._over or self._stopped:
                return
            self._stopped = True
            reading = self._reading
        self._answer.cancel()
        if not reading:
            self._finish("stopped")
