"""What the terminal sends, in order and one after the other, however quickly it comes.

Contract: `Intake` is filled by the thread that reads the terminal and emptied by the screen's; its lock is held for
moments. What comes faster than it can be obeyed is taken in batches: a run of printable characters is handed to a
prompt at once. What waits is capped: beyond `WAITING_MAX` keys, printable ones are dropped and counted, so that a
flood costs neither memory nor the key that ends it.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Iterator

from textual.events import Key
from textual.keys import _character_to_key
from textual.message import Message

__all__ = ["TYPED_MAX", "WAITING_MAX", "Intake", "Typed", "portions"]

TYPED_MAX = 8_192
"""Characters that a prompt takes."""
WAITING_MAX = 8_192
"""Keys that may wait to be obeyed."""
_RUN = re.compile(r"[ -~]{32,}")
_LOOK_BACK = 64
_PASTE, _PASTED = "\x1b[200~", "\x1b[201~"


class Typed(str):
    """Printable characters that came in one go."""


class Intake:
    """The queue between the terminal and the screen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards what follows
        self._waiting: deque[Message | Typed] = deque()
        self._keys = 0
        self._dropped = 0

    def put(self, item: Message | Typed) -> None:
        """Take one more; called by the thread that reads the terminal."""
        with self._lock:
            keys = len(item) if isinstance(item, Typed) else isinstance(item, Key)
            room = WAITING_MAX - self._keys
            if isinstance(item, Typed) and keys > room:
                self._dropped += keys - max(room, 0)
                item, keys = Typed(item[: max(room, 0)]), max(room, 0)
            elif isinstance(item, Key) and item.is_printable and room <= 0:
                self._dropped += 1
                return
            if item or not isinstance(item, Typed):
                self._keys += keys
                self._waiting.append(item)

    def take(self, whole: bool) -> Message | Typed | None:
        """The next thing; None when nothing waits. `whole`: all printable characters up to the next other thing."""
        with self._lock:
            if not self._waiting:
                return None
            first = self._waiting.popleft()
            text = _text_of(first)
            if not text:
                self._keys -= isinstance(first, Key)
                return first
            if not whole:
                self._keys -= 1
                if isinstance(first, Typed) and len(first) > 1:
                    self._waiting.appendleft(Typed(first[1:]))
                return first if isinstance(first, Key) else Key(_character_to_key(text[0]), text[0])
            run = [text]
            while self._waiting and (more := _text_of(self._waiting[0])):
                run.append(more)
                self._waiting.popleft()
            typed = Typed("".join(run))
            self._keys -= len(typed)
            return typed

    @property
    def is_empty(self) -> bool:
        return not self._waiting

    def dropped(self) -> int:
        """How many keys were dropped since this was last asked."""
        with self._lock:
            dropped, self._dropped = self._dropped, 0
            return dropped


def _text_of(item: Message | Typed) -> str:
    if isinstance(item, Typed):
        return item
    return (item.character or "") if isinstance(item, Key) and item.is_printable else ""


class _Portions:
    """Cuts what was read into runs of plain text, which need no parser, and the rest, which does."""

    def __init__(self) -> None:
        self._tail = ""
        self._pasting = False

    def __call__(self, text: str) -> Iterator[tuple[str, bool]]:
        """Parts of `text` in order, each with whether it is plain. Never inside an escape sequence or a paste."""
        at = 0
        for run in _RUN.finditer(text):
            before = text[at : run.start()]
            if before:
                yield before, False
                self._saw(before)
            is_plain = not self._pasting and "\x1b" not in self._tail
            yield run.group(), is_plain
            self._saw(run.group())
            at = run.end()
        if text[at:]:
            yield text[at:], False
            self._saw(text[at:])

    def _saw(self, part: str) -> None:
        both = self._tail + part
        begun, ended = both.rfind(_PASTE), both.rfind(_PASTED)
        if begun >= 0 or ended >= 0:
            self._pasting = begun > ended
        self._tail = both[-_LOOK_BACK:]


def portions() -> _Portions:
    """A cutter for one terminal."""
    return _Portions()
