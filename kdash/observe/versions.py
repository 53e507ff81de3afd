"""From the core's changes to the histories: contents that may be kept, and what differs between two of them.

Contract: `VersionFeed.put` is called under the locks of processing and only appends; `drain` by the probe's thread,
after the records of the same changes. Of Secrets only the metadata is kept, of its annotations only the
names: nothing else of them ever enters a history. An unchanged relisted object is no version.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any

import msgspec

from kdash.informer.objects import KubeObject
from kdash.informer.packing import Packer
from kdash.informer.queue.protocol import DeletedFinalStateUnknown
from kdash.observe.redact import HIDDEN, decoded, holds_secrets, redacted
from kdash.probe.history import VersionFed
from kdash.probe.objects import ObjectRef, ObjectRow
from kdash.probe.paths import PathTopic
from kdash.probe.recorder import Recorder
from kdash.probe.snapshot import ChangeView, VersionView
from kdash.probe.text import clean, shorten

__all__ = ["VersionFeed", "VersionPacker", "changes_between", "history_of", "readable", "unchanged", "version_content"]

_WAITING_MAX = 1 << 16
_AT_ONCE, _IN_A_STORM = 500, 100  # twenty times a second
_CHANGES_MAX = 500
_VALUE_MAX = 200
_LEARN_FROM = 64
_WHO = itemgetter(1, 3)  # informer and key of a change


class VersionFeed:
    """The changes that the probe has not taken yet; the oldest are lost when nobody takes them."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Any, ...]] = deque(maxlen=_WAITING_MAX)
        self.put = self._waiting.append

    def take(self) -> list[tuple[Any, ...]]:
        """What waits now; to be called before the tap is drained, so that the records are there too."""
        return [self._waiting.popleft() for _ in range(len(self._waiting))]


def as_versions(taken: list[tuple[Any, ...]], paths: PathTopic, now: float) -> list[VersionFed]:
    """What the histories keep of them: all of some 10,000 a second, of more the last of each moment."""
    fed = []
    for seq, informer, event, key, new, old in taken[-_kept(taken) :]:
        inferred = isinstance(new, DeletedFinalStateUnknown)
        if inferred:
            new = new.obj
        if event == "Replaced" and old is not None and new is not None and old.resource_version == new.resource_version:
            continue
        path = paths.of(seq)
        at = path.stored_at if path is not None and path.stored_at is not None else now
        new, old = keepable(informer, new), keepable(informer, old)
        version, size = (new.resource_version, new.size) if new is not None else ("", 0)
        old_version, old_size = (old.resource_version, old.size) if old is not None else ("", 0)
        fed.append(VersionFed(
            seq, at, informer, key, str(event), version, new, size, old_version, old, old_size, inferred
        ))  # fmt: skip
    return fed


def left_out(taken: list[tuple[Any, ...]]) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Of the same changes those that are in no history, by informer and key; for recordings."""
    some = taken[: -_kept(taken)]
    newest = dict(zip(map(_WHO, some), some, strict=True))
    if newest:
        for who in map(_WHO, taken[-_kept(taken) :]):
            newest.pop(who, None)
    return newest


def contents_of(changes: Iterable[tuple[Any, ...]]) -> list[tuple[str, str, KubeObject | None]]:
    """What the caches hold after `left_out` ones: (informer, key, content, or None when it is gone)."""
    return [(informer, key, None if event == "Deleted" else keepable(informer, new))
            for _, informer, event, key, new, _ in changes]


def _kept(taken: list[tuple[Any, ...]]) -> int:
    return _AT_ONCE if len(taken) <= _AT_ONCE else _IN_A_STORM


def keepable(informer: str, obj: KubeObject | None) -> KubeObject | None:
    """What a history may keep of an object: of a Secret only the metadata, of its annotations only the names."""
    if obj is None or not holds_secrets(informer):
        return obj
    metadata = redacted(informer, {"metadata": dict(obj.get("metadata") or {})})["metadata"]
    metadata.pop("managedFields", None)
    return KubeObject.from_dict({"apiVersion": obj.api_version, "kind": obj.kind, "metadata": metadata})


def readable(informer: str, content: Any) -> dict[str, Any] | None:
    """A version's content, decoded; a Secret's says so where its values were."""
    if not isinstance(content, KubeObject):
        return None
    shown = decoded(informer, content)
    if holds_secrets(informer):
        shown["data"] = HIDDEN
    return shown


_SAMPLE_MAX = 256 << 10


class VersionPacker:
    """Packs superseded contents with a dictionary per informer. From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards what follows
        self._packers: dict[str, Packer] = {}
        self._samples: dict[str, list[bytes]] = {}

    def pack(self, informer: str, content: Any) -> tuple[Any, int]:
        """(the content or an equal smaller one, its size)."""
        if not isinstance(content, KubeObject) or content.is_packed:
            return content, getattr(content, "stored_size", 0)
        with self._lock:
            packer = self._packers.setdefault(informer, Packer(32 * 1024))
            if packer.codec is None and content.stored_size <= _SAMPLE_MAX:
                samples = self._samples.setdefault(informer, [])
                samples.append(content.to_json())
                if len(samples) >= _LEARN_FROM:
                    packer.learn(samples)
                    samples.clear()
        packed = content.packed(packer)
        return packed, packed.stored_size


def history_of(recorder: Recorder, ref: ObjectRef) -> tuple[VersionView, ...]:
    """The versions of an object, oldest first; what never changed has the one that the cache holds, and its resyncs."""
    with recorder.lock:
        versions = tuple(version.view() for version in recorder.history.of(ref.informer, ref.key))
    row = recorder.objects.get(ref)
    return versions or unchanged(row)


def unchanged(row: ObjectRow | None) -> tuple[VersionView, ...]:
    """The history of an object that never changed: how it came, and its resyncs."""
    if row is None:
        return ()
    version, came = clean(row.resource_version), row.came or "Replaced"
    first = VersionView(1, version, came, "watch" if came == "Added" else "list", row.came_at, row.size)
    if not row.syncs:
        return (first,)
    return first, VersionView(2, version, "Sync", "resync", row.synced_at, 0, False, row.syncs)


def version_content(
    recorder: Recorder, ref: ObjectRef, number: int, read: Callable[[ObjectRef], Mapping[str, Any] | None]
) -> Mapping[str, Any] | None:
    """What a version held, decoded; `read` reads what the cache holds."""
    with recorder.lock:
        known = bool(recorder.history.of(ref.informer, ref.key))
        content = recorder.history.content(ref.informer, ref.key, number)
    return read(ref) if not known and number == 1 else readable(ref.informer, content)


def changes_between(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[ChangeView, ...]:
    """What differs, by path, in the order of the new object; at most 500 lines. Values are one clean line each.

    Items of lists are matched by their `name`, `type`, `uid` or `ip` where each has one of its own, else by place.
    """
    found: list[ChangeView] = []
    _compare("", old, new, found)
    return tuple(found[:_CHANGES_MAX])


def _compare(path: str, old: Any, new: Any, found: list[ChangeView]) -> None:
    if len(found) > _CHANGES_MAX or old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*new, *(key for key in old if key not in new)]:
            _compare_item(_joined(path, key), old.get(key, _ABSENT), new.get(key, _ABSENT), found)
    elif isinstance(old, list) and isinstance(new, list):
        name = _identity(old, new)
        before = {(item[name] if name else at): item for at, item in enumerate(old)}
        after = {(item[name] if name else at): item for at, item in enumerate(new)}
        places = {item: at for at, item in enumerate(after)}
        for key in [*after, *(key for key in before if key not in after)]:
            place = places.get(key, list(before).index(key)) if key not in after else places[key]
            _compare_item(f"{path}[{place}]", before.get(key, _ABSENT), after.get(key, _ABSENT), found)
    else:
        found.append(ChangeView("~", path, _value(old), _value(new)))


_ABSENT = object()


def _compare_item(path: str, old: Any, new: Any, found: list[ChangeView]) -> None:
    if old is _ABSENT:
        found.append(ChangeView("+", path, "", _value(new)))
    elif new is _ABSENT:
        found.append(ChangeView("-", path, _value(old)))
    else:
        _compare(path, old, new, found)


def _identity(old: list[Any], new: list[Any]) -> str:
    for name in ("name", "type", "uid", "ip"):
        if all(
            all(isinstance(item, Mapping) and isinstance(item.get(name), str) for item in items)
            and len({item[name] for item in items}) == len(items)
            for items in (old, new)
        ):
            return name
    return ""


def _joined(path: str, key: Any) -> str:
    name = shorten(str(key), 120)
    if "." in name or "/" in name:
        return f'{path}["{name}"]'
    return f"{path}.{name}" if path else name


def _value(value: Any) -> str:
    if isinstance(value, str):
        return f'"{shorten(value, _VALUE_MAX)}"'
    return shorten(msgspec.json.encode(value).decode(), _VALUE_MAX)
