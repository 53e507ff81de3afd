"""Topic: the delta queue (records queue.*): depth in keys, deltas and objects, its peak, rates and waits."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from kdash.informer.tap import Record
from kdash.probe.latency import Latency
from kdash.probe.minute import MinuteLatency
from kdash.probe.rates import PerSecond

__all__ = ["QueueState", "QueueTopic"]

_KEYS_IN, _OBJECTS_IN = itemgetter(8), itemgetter(10)
_TOOK = itemgetter(8)
_KEYS_OUT, _DELTAS_OUT, _WAITED = itemgetter(6), itemgetter(7), itemgetter(10)


class QueueState:
    """One informer's queue."""

    def __init__(self) -> None:
        self.keys = self.deltas = self.objects = 0
        self.peak_keys = self.peak_objects = 0
        self.last_pop_at: float | None = None
        self.errors = 0
        self.last_wave = ""
        self.processing = MinuteLatency()
        """How long the processing of an entry took."""
        self._depth_seq = 0

    def depth(self, seq: int, keys: int, deltas: int, objects: int) -> None:
        if seq > self._depth_seq:
            self._depth_seq = seq
            self.keys, self.deltas, self.objects = keys, deltas, objects


class QueueTopic:
    """The queues of all informers, and their sums."""

    def __init__(self) -> None:
        self.queues: dict[str, QueueState] = {}
        self.entered = PerSecond()
        self.popped_keys = PerSecond()
        self.popped_deltas = PerSecond()
        self.waits = Latency()

    def of(self, informer: str) -> QueueState:
        queue = self.queues.get(informer)
        if queue is None:
            queue = self.queues[informer] = QueueState()
        return queue

    def seen(self, informer: str) -> QueueState:
        """The informer's queue, for reading: one that nothing is known of is empty."""
        return self.queues.get(informer) or QueueState()

    def enqueued(self, informer: str, records: Sequence[Record]) -> None:
        """A batch of queue.enqueued records of one informer."""
        queue = self.of(informer)
        last = records[-1]
        queue.depth(last[0], last[8], last[9], last[10])
        queue.peak_keys = max(queue.peak_keys, *map(_KEYS_IN, records), 0)
        queue.peak_objects = max(queue.peak_objects, *map(_OBJECTS_IN, records), 0)
        self.entered.add_records(records)

    def popped(self, informer: str, records: Sequence[Record]) -> None:
        """A batch of queue.popped records of one informer."""
        queue = self.of(informer)
        last = records[-1]
        queue.depth(last[0], last[11], last[12], last[13])
        queue.last_pop_at = last[1]
        second = int(last[1])
        self.popped_keys.add(second, sum(map(_KEYS_OUT, records)))
        self.popped_deltas.add(second, sum(map(_DELTAS_OUT, records)))
        self.waits.add_many(list(map(_WAITED, records)))

    def processed(self, informer: str, records: Sequence[Record]) -> None:
        """A batch of queue.processed records of one informer."""
        self.of(informer).processing.add_many(list(map(_TOOK, records)))

    def closed(self, informer: str, record: Record) -> None:
        """A closed queue that has drained leaves nothing behind."""
        self.of(informer).depth(record[0], 0, 0, 0)
