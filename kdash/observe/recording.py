"""Recording an observation into a file.

Contract: `begin` and `stop` from any thread. The thread `kdash-recording` writes once a second what the recorder was
told meanwhile, and hands every byte to the system: a killed process loses its last second. A file that holds a
recording already gets another part; any other file is refused, never overwritten. A full disk ends the recording, not
the observation. Contents have passed `keepable` before they get here: of Secrets, metadata only.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from typing import TYPE_CHECKING, Any

from kdash import __version__
from kdash.observe.door import Outcome
from kdash.observe.versions import contents_of, keepable
from kdash.probe.recording.format import FILE_HEAD, BadRecording, check_file_head
from kdash.probe.recording.journal import Journal
from kdash.probe.recording.opening import opening_steps
from kdash.probe.recording.reader import Recording
from kdash.probe.recording.writer import Writer
from kdash.probe.snapshot import RecordingView
from kdash.probe.text import clean

if TYPE_CHECKING:
    from kdash.observe.live import LiveObservation

__all__ = ["Recordings"]

_EVERY_S = 1.0
_LOOK_S = 0.2
_RECORDS_MAX = 50_000
_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


class Recordings:
    """The recording of one live observation; at most one at a time."""

    def __init__(self, observation: LiveObservation) -> None:
        self._observation = observation
        self._lock = threading.Lock()  # guards what follows while it is set
        self._file: int | None = None
        self._path = ""
        self._since = 0.0
        self._bytes = 0
        self._writer = Writer()
        self.failure = ""
        """Why the last recording ended by itself."""
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def view(self) -> RecordingView | None:
        """What the screen says of it; None while nothing is recorded."""
        if self._file is None:
            return None
        return RecordingView(clean(self._path), self._since, self._bytes)

    def begin(self, path: str) -> None:
        """Record from now on. Raises `BadRecording` when that cannot be."""
        with self._lock:
            if self._file is not None:
                raise BadRecording(f"{clean(self._path)} is being recorded already; stop it first")
            self._file = _open(path)
            self._path, self._bytes, self._writer = path, os.lseek(self._file, 0, os.SEEK_END), Writer()
            recorder = self._observation.recorder
            with recorder.lock:
                self._since = recorder.clock.monotonic()
                midway = bool(recorder.informers.states)
                about = {
                    "kdash": __version__, "wall_offset_s": recorder.events.wall_offset_s, "second": recorder.second,
                    "slow_limit_s": recorder.handlers.slow_limit_s, "from_start": not midway,
                    "source": self._observation.source().name,
                }  # fmt: skip
                why = "the recording begins here: counts and latencies begin at 0"
                opening = opening_steps(recorder, self._keepable, why) if midway else ()
                recorder.journal = Journal(opening, contents_of)
            try:
                self._write(Writer.part(about, self._since))
            except OSError as error:
                with recorder.lock:
                    recorder.journal = None
                self._close()
                raise BadRecording(f"{path} cannot be written: {error.strerror}") from None
            self._ending.clear()
            self.failure = ""
            self._thread = threading.Thread(target=self._work, name="kdash-recording", daemon=True)
            self._thread.start()

    def start(self, path: str) -> Outcome:
        """`begin` as an order: it does not wait for a disk that is slow."""
        return self._observation.orders.soon(lambda: self._begun(path), f"opening {clean(path)}")

    def _begun(self, path: str) -> Outcome:
        try:
            self.begin(path)
        except BadRecording as error:
            return Outcome(False, clean(str(error)))
        return Outcome(True, f"recording to {clean(path)}")

    def stop(self) -> Outcome:
        """End it, as an order: what is waiting is written first."""
        if self._file is None or self._thread is None:
            return Outcome(False, "nothing is being recorded: start with `record start FILE`")
        return self._observation.orders.soon(self._ended, "the recording ends when what waits is written")

    def _ended(self) -> Outcome:
        self.end()
        if self.failure:
            return Outcome(False, self.failure)
        return Outcome(True, f"recorded {self._bytes / 1e6:.1f} MB; `kdash replay {clean(self._path)}` shows it")

    def end(self, timeout_s: float | None = None) -> bool:
        """Write what is waiting and close the file; whether that was done within `timeout_s` (None: waits for it)."""
        thread = self._thread
        self._ending.set()
        if thread is not None:
            thread.join(timeout_s)
        return thread is None or not thread.is_alive()

    # the thread ------------------------------------------------------------------------------------------

    def _work(self) -> None:
        recorder, waited_s = self._observation.recorder, 0.0
        ending = False
        try:
            while not ending:
                ending = self._ending.wait(_LOOK_S)
                waited_s += _LOOK_S
                source = self._observation.source()
                with recorder.lock:
                    recorder.saw(source)
                    journal = recorder.journal
                    assert journal is not None
                    if not ending and waited_s < _EVERY_S and journal.records < _RECORDS_MAX:
                        continue
                    steps = journal.take(recorder.clock.monotonic())
                    if ending:
                        recorder.journal = None
                waited_s = 0.0
                for chunk in self._writer.chunks_of(steps):
                    self._write(chunk)
        except Exception as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            with recorder.lock:
                recorder.journal = None
            self.failure = f"the recording has ended: {clean(self._path)} cannot be written: {clean(why)}"
            recorder.note(self.failure, "ERROR")
        finally:
            self._close()

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        rest = data
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            with contextlib.suppress(OSError):  # half a chunk would be damage
                os.ftruncate(self._file, self._bytes)
            raise
        self._bytes += len(data)

    def _close(self) -> None:
        descriptor, self._file = self._file, None
        if descriptor is not None:
            os.close(descriptor)

    def _keepable(self, informer: str, key: str) -> Any:
        running = self._observation.informers().get(informer)
        return None if running is None else keepable(informer, running.indexer.get_by_key(key))


def _open(path: str) -> int:
    """The file at the place where a new part goes. Raises `BadRecording`."""
    name = clean(str(path))
    try:
        if os.path.islink(path):  # where there is no O_NOFOLLOW
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise BadRecording(f"{name} is a symbolic link: name the file that it leads to, or another one") from None
        raise BadRecording(f"{name} cannot be written: {error.strerror}") from None
    try:
        start = os.pread(descriptor, len(FILE_HEAD), 0)
        if not start:
            os.write(descriptor, FILE_HEAD)
        else:
            check_file_head(start, name)
            before = Recording(name, os.dup(descriptor))
            before.close()
            os.ftruncate(descriptor, before.whole_until)
        os.lseek(descriptor, 0, os.SEEK_END)
    except OSError as error:
        os.close(descriptor)
        raise BadRecording(f"{name} cannot be written: {error.strerror}") from None
    except BadRecording as error:
        os.close(descriptor)
        raise BadRecording(f"{error}; it was left as it is") from None
    return descriptor
