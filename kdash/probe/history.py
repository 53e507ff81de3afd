"""Topic: the last 32 versions of each object that changed while kdash looked.

Contract: written by the drain thread under the recorder's lock, read under it. What a version holds is opaque here;
whoever feeds it has already taken out what must not be kept (values of Secrets). Objects that never changed cost
nothing: their first version is taken from the change that ends it. In a storm versions are left out. When more than
`budget` bytes are held, the oldest versions of all objects go first. Of the objects that were deleted the last 64 keep
their history.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from kdash.informer.tap import Record
from kdash.probe.objects import ObjectIndex, ObjectRef
from kdash.probe.paths import Path, PathTopic
from kdash.probe.snapshot import VersionView
from kdash.probe.text import clean

__all__ = ["KEPT_VERSIONS", "FrozenHistory", "HistoryTopic", "Version", "VersionFed"]

KEPT_VERSIONS = 32
_GONE_KEPT = 64  # objects that were deleted
_OVERHEAD = 400  # bytes a version takes besides its content, about


class VersionFed(NamedTuple):
    """One mutation of the cache with what it brought and replaced."""

    seq: int
    """Of the store.mutation (or store.replaced) record."""
    at: float
    informer: str
    key: str
    event: str
    resource_version: str
    content: Any
    size: int
    """Bytes of its JSON."""
    old_resource_version: str = ""
    old_content: Any = None
    """None for an object that was not there."""
    old_size: int = 0
    inferred: bool = False
    """A deletion that a relist inferred."""


class Version:
    """One line of an object's history."""

    __slots__ = ("at", "content", "event", "held", "number", "path", "repeats", "resource_version", "size", "source")

    def __init__(self, number: int, version: str, event: str, source: str, at: float, content: Any, size: int,
                 path: Path | None) -> None:
        self.number = number
        self.resource_version = version
        self.event = event
        self.source = source
        self.at = at
        self.content = content
        self.size = size
        self.held = size  # less once it is packed
        self.path = path
        self.repeats = 1

    def again(self, at: float, path: Path | None) -> Version:
        """The same, and once more. A new one: a frozen history keeps the old one."""
        version = Version(self.number, self.resource_version, self.event, self.source, at, None, self.size, path)
        version.held, version.repeats = self.held, self.repeats + 1
        return version

    def view(self) -> VersionView:
        path = self.path
        return VersionView(
            self.number, clean(self.resource_version), self.event, self.source, self.at, self.size,
            self.content is not None, self.repeats, path.marks() if path is not None else (),
            path.passes() if path is not None else (),
        )  # fmt: skip


class FrozenHistory:
    """The histories of one instant. Any thread may read."""

    def __init__(self, objects: dict[tuple[str, str], tuple[Version, ...]]) -> None:
        self._objects = objects
        self._on_its_way = {
            id(version): version.view()
            for versions in objects.values() for version in versions
            if version.path is not None and version.path.is_open
        }  # fmt: skip

    def views(self, informer: str, key: str) -> tuple[VersionView, ...]:
        """The versions of an object, oldest first."""
        return tuple(self._on_its_way.get(id(each)) or each.view() for each in self._objects.get((informer, key), ()))

    def content(self, informer: str, key: str, number: int) -> Any:
        """What a version held; None when it was forgotten or had none."""
        found = (each for each in self._objects.get((informer, key), ()) if each.number == number)
        return next((each.content for each in found), None)

    def of_version(self, informer: str, key: str, resource_version: str) -> Any:
        """The content with this resource version; None when it is not known."""
        found = (each.content for each in self._objects.get((informer, key), ())
                 if each.resource_version == resource_version and each.content is not None)
        return next(found, None)


class HistoryTopic:
    """The histories of all objects that changed."""

    def __init__(self, paths: PathTopic, budget: int = 48 << 20, objects: ObjectIndex | None = None) -> None:
        self._paths = paths
        self._rows = objects
        self._budget = budget
        self._bytes = 0
        self._objects: dict[tuple[str, str], list[Version]] = {}
        self._order: deque[tuple[tuple[str, str], int]] = deque()  # (whose, number) as kept, some forgotten since
        self._held = 0
        self._gone: dict[tuple[str, str], None] = {}  # whose last version is a deletion, in the order of the deletions
        self._listed_at: dict[str, float] = {}
        self.pack: Callable[[str, Any], Any] | None = None
        """Makes a superseded content smaller: (informer, content) → content."""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "pack": None}  # whoever wakes a copy gives it one

    @property
    def bytes(self) -> int:
        """What is held, about."""
        return self._bytes

    def of(self, informer: str, key: str) -> tuple[Version, ...]:
        """The versions of one object, oldest first."""
        return tuple(self._objects.get((informer, key), ()))

    def content(self, informer: str, key: str, number: int) -> Any:
        """What a version held; None when it is forgotten or had none."""
        for version in self._objects.get((informer, key), ()):
            if version.number == number:
                return version.content
        return None

    def frozen(self) -> FrozenHistory:
        """All histories as they are now; under the recorder's lock."""
        return FrozenHistory({who: tuple(versions) for who, versions in self._objects.items()})

    # feeding ---------------------------------------------------------------------------------------------

    def listed(self, record: Record) -> None:
        """queue.replace: the state was fetched."""
        self._listed_at[record[3]] = record[1]

    def fed(self, changes: Sequence[VersionFed], pack: bool) -> None:
        """Versions in the order of their records, which have been taken before."""
        for change in changes:
            if change.event == "Replaced" and change.old_content is None:
                continue  # the first list: its objects have no history yet
            who = (change.informer, change.key)
            versions = self._objects.get(who)
            if versions is None:
                versions = self._objects[who] = []
                if change.old_content is not None:
                    self._begin(who, versions, change)
            elif versions and change.old_content is not None:
                self._bridge(who, versions, change)
            if pack and self.pack is not None:
                self._shrink(change.informer, versions)
            path = self._paths.of(change.seq)
            source = path.source if path is not None else "watch"
            if change.inferred or change.event == "Replaced" or source == "list":
                source = "relist"
            self._keep(who, versions, Version(_next(versions), change.resource_version, change.event, source, change.at,
                                              change.content, change.size, path))
            if pack and change.event == "Deleted":
                self._shrink(change.informer, versions)  # no cache holds it any more

    def _begin(self, who: tuple[str, str], versions: list[Version], change: VersionFed) -> None:
        """What was there before its first change, as it was shown until then: how it came, and its resyncs."""
        row = self._rows.get(ObjectRef(*who)) if self._rows is not None else None
        if row is None or not row.came_at or row.came_at > change.at:
            at = self._listed_at.get(change.informer, change.at)
            came, syncs, synced_at = "Replaced", 0, 0.0
        else:
            at, came, syncs, synced_at = row.came_at, row.came or "Replaced", row.syncs, row.synced_at
        source = "watch" if came == "Added" else "list"
        version = change.old_resource_version
        self._keep(who, versions, Version(1, version, came, source, at, change.old_content, change.old_size, None))
        if syncs and synced_at <= change.at:
            sync = Version(2, version, "Sync", "resync", synced_at, None, 0, None)
            sync.repeats = syncs
            self._keep(who, versions, sync)

    def _bridge(self, who: tuple[str, str], versions: list[Version], change: VersionFed) -> None:
        """A storm has left versions out: the one before this change closes the gap, so that no diff is wrong."""
        if versions[-1].resource_version != change.old_resource_version:
            self._keep(who, versions, Version(_next(versions), change.old_resource_version, "Updated", "watch",
                                              change.at, change.old_content, change.old_size, None))

    def distributed(self, informer: str, records: Sequence[Record]) -> None:
        """notify.distribute: syncs of objects that have a history."""
        objects = self._objects
        if not objects:
            return
        for record in records:
            if not record[8]:
                continue
            versions = objects.get((informer, record[6]))
            if versions is None:
                continue
            path, last = self._paths.of(record[0]), versions[-1] if versions else None
            if last is not None and last.event == "Sync" and last.source != "relist":
                versions[-1] = last.again(record[1], path)
                continue
            source = "relist" if path is not None and path.source == "list" else "resync"
            self._keep((informer, record[6]), versions,
                       Version(_next(versions), record[7], "Sync", source, record[1], None, 0, path))

    def drop_informer(self, informer: str) -> None:
        """The informer is built anew; its objects' histories stay, the time of its list does not."""
        self._listed_at.pop(informer, None)

    def forget(self, informer: str) -> None:
        """The informer is gone for good: objects of the same name that come later are others."""
        self.drop_informer(informer)
        for who in [who for who in self._objects if who[0] == informer]:
            self._drop(who)
            self._gone.pop(who, None)
        self._order = deque(entry for entry in self._order if entry[0][0] != informer)

    def _drop(self, who: tuple[str, str]) -> None:
        versions = self._objects.pop(who, [])
        self._held -= len(versions)
        self._bytes -= sum(version.held + _OVERHEAD for version in versions)

    def _note_gone(self, who: tuple[str, str], event: str) -> None:
        self._gone.pop(who, None)
        if event == "Deleted":
            self._gone[who] = None
            if len(self._gone) > _GONE_KEPT:
                oldest = next(iter(self._gone))
                del self._gone[oldest]
                self._drop(oldest)

    def _keep(self, who: tuple[str, str], versions: list[Version], version: Version) -> None:
        self._note_gone(who, version.event)
        versions.append(version)
        self._order.append((who, version.number))
        self._held += 1
        self._bytes += version.held + _OVERHEAD
        if len(versions) > KEPT_VERSIONS:
            self._forget_first(versions)
        while self._bytes > self._budget and self._order:
            oldest, number = self._order.popleft()
            if self._holds(oldest, number):
                self._forget_first(self._objects[oldest])
                if not self._objects[oldest]:
                    del self._objects[oldest]
        if len(self._order) > 2 * self._held + 1024:
            self._order = deque([entry for entry in self._order if self._holds(*entry)])

    def _holds(self, who: tuple[str, str], number: int) -> bool:
        versions = self._objects.get(who)
        return versions is not None and len(versions) > 0 and versions[0].number <= number

    def _forget_first(self, versions: list[Version]) -> None:
        self._bytes -= versions.pop(0).held + _OVERHEAD
        self._held -= 1

    def _shrink(self, informer: str, versions: Sequence[Version]) -> None:
        """The newest content, which is superseded; syncs may have come after it."""
        version = next((each for each in reversed(versions) if each.content is not None), None)
        if version is None or self.pack is None:
            return
        version.content, held = self.pack(informer, version.content)
        self._bytes += held - version.held
        version.held = held


def _next(versions: Sequence[Version]) -> int:
    return versions[-1].number + 1 if versions else 1
