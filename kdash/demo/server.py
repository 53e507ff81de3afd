"""The embedded API server: a Kubernetes list/watch server in one process, on 127.0.0.1.

    with ApiServer(objects=50, seed=7) as server:
        print(server.url)

Contract: the server runs on an asyncio loop in a thread of its own; `start` returns once it listens, `stop` within
half a second: watches end cleanly, connections close, the workload's thread ends. Public methods may be called from
any thread. `storage` and `log` are the truth that tests compare with; `faults` makes it misbehave.
"""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from types import TracebackType

from kdash.demo.access import Access, User
from kdash.demo.faults import Faults
from kdash.demo.housekeeping import Housekeeping
from kdash.demo.http_loop import Connection
from kdash.demo.request_log import RequestLog
from kdash.demo.resources import Registry
from kdash.demo.router import Router
from kdash.demo.storage import Storage
from kdash.demo.watch_handler import Watch
from kdash.demo.workload import Workload

__all__ = ["ApiServer"]

_LOG = 4_000
_KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: kdash-demo
clusters:
- name: kdash-demo
  cluster:
    server: {url}
contexts:
- name: kdash-demo
  context:
    cluster: kdash-demo
    user: kdash-demo
    namespace: default
users:
- name: kdash-demo
  user: {user}
"""


class ApiServer:
    """A small API server with a workload. All sizes and rates are explained in `kdash demo --help`."""

    def __init__(
        self,
        *,
        objects: int = 42,
        rate: float = 2.0,
        seed: int = 1,
        scenario: str = "rolling-update",
        workload: bool = True,
        port: int = 0,
        token: str | None = None,
        users: Mapping[str, User] | None = None,
        window: int = 10_000,
        bookmark_interval_s: float = 60.0,
        progress_notify: bool = True,
        watch_list: bool = True,
        watch_backlog: int = 50_000,
        first_version: int = 1000,
    ) -> None:
        """`window`: events kept per resource for watches; `token`: what clients must send as Bearer, if set, and
        `users`: more tokens, with users that may not do everything; `progress_notify`: bookmarks know of changes of
        other resources too (as on clusters made by kubeadm); `watch_list`: streaming lists are served;
        `watch_backlog`: unread events after which a watch is dropped; `first_version`: what resource versions count
        from. Raises `UnknownScenario` (a ValueError)."""
        self.storage = Storage(Registry(), window=window, log=_LOG, first_version=first_version)
        self.log = RequestLog()
        self.faults = Faults(self)
        self.router = Router(self)
        self.watches: set[Watch] = set()
        self.bookmark_interval_s = bookmark_interval_s
        self.progress_notify = progress_notify
        self.watch_list = watch_list
        self.watch_backlog = watch_backlog
        self.access = Access({**({token: User("demo")} if token else {}), **(users or {})})
        self.stream_above = 1 << 20
        """Bodies above this many bytes are written in slices."""
        self.chunk_above = 2048
        """Bodies above this many bytes are sent chunked (wire fact 1)."""
        self.stopping = False
        self.port = port
        self._token = token
        self._clock_offset_s = 0.0
        self._planned: list[tuple[float, Callable[[], None]]] = []
        self._connections: set[Connection] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self.storage.on_drop(self._end_watches_of)
        self.workload = (
            Workload(self.storage, objects=objects, rate=rate, seed=seed, scenario=scenario, server=self)
            if workload else None
        )  # fmt: skip
        self.housekeeping = None if workload else Housekeeping(self.storage, self.now)

    # life ----------------------------------------------------------------------------------------------

    def start(self) -> ApiServer:
        """Listen and, with a workload, fill the storage and let it live. Raises OSError when the port is taken."""
        started: threading.Event = threading.Event()
        failure: list[OSError] = []

        def run() -> None:
            try:
                asyncio.run(self._main(started))
            except OSError as error:
                failure.append(error)
                started.set()

        self._thread = threading.Thread(target=run, name="kdash-demo-server", daemon=True)
        self._thread.start()
        started.wait()
        if failure:
            raise failure[0]
        if self.workload is not None:
            self.workload.start()
        if self.housekeeping is not None:
            self.housekeeping.start()
        return self

    async def _main(self, started: threading.Event) -> None:
        loop = asyncio.get_running_loop()
        await self._listen()
        self._ended = asyncio.Event()
        self._loop = loop
        for delay_s, work in self._planned:
            loop.call_later(delay_s, work)
        started.set()
        await self._ended.wait()
        if self._listener is not None:
            self._listener.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=0.3)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=0.1)

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=1 << 20)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connection = Connection(self, reader, writer)
        self._connections.add(connection)
        self._tasks.add(task)
        try:
            await connection.serve()
        except asyncio.CancelledError:
            connection.reset()
        finally:
            self._connections.discard(connection)
            self._tasks.discard(task)

    def stop(self) -> None:
        """End everything; any number of times."""
        if self.workload is not None:
            self.workload.stop()
        if self.housekeeping is not None:
            self.housekeeping.stop()
        self.stopping = True
        self.end_watches()
        self._on_loop(self._close_idle)
        if self._thread is not None:
            self._thread.join(2.0)
        self._loop = None

    async def _close_idle(self) -> int:
        self._ended.set()
        for connection in list(self._connections):
            connection.close_when_idle()
        return len(self._connections)

    def __enter__(self) -> ApiServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # what clients need ---------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self.port}"

    def kubeconfig(self) -> str:
        """A kubeconfig for this server, as text."""
        user = f'{{token: "{self._token}"}}' if self._token else "{}"
        return _KUBECONFIG.format(url=self.url, user=user)

    def write_kubeconfig(self, path: Path | str) -> Path:
        """Write the kubeconfig, readable by its owner only; returns the path."""
        path = Path(path)
        path.touch(mode=0o600)
        path.write_text(self.kubeconfig(), "utf-8")
        return path

    # used by the handlers ------------------------------------------------------------------------------

    def now(self) -> float:
        """The server's clock: seconds since 1970, jumps included."""
        return time.time() + self._clock_offset_s

    def call_later(self, delay_s: float, work: Callable[[], None]) -> None:
        """Run `work` on the server's loop after a while; after it has started, if it has not. Any thread."""
        loop = self._loop
        if loop is None:
            self._planned.append((delay_s, work))
        else:
            loop.call_soon_threadsafe(loop.call_later, delay_s, work)

    @staticmethod
    def next_audit_id() -> str:
        return str(uuid.uuid4())

    # faults --------------------------------------------------------------------------------------------

    def end_watches(self) -> int:
        """End every open watch cleanly; returns how many."""
        watches = list(self.watches)
        for watch in watches:
            watch.end()
        return len(watches)

    def _end_watches_of(self, resource: str) -> None:
        """A resource is served no more: its watches end a second later (wire fact 70)."""
        for watch in [each for each in self.watches if each.type.qualified == resource]:
            watch.end(1.0)

    def jump_clock(self, seconds: float) -> None:
        """Move the server's clock forward: dates jump, and the time-outs and bookmarks of open watches come early."""
        self._clock_offset_s += seconds
        for watch in list(self.watches):
            watch.jump(seconds)

    def grow_object(self, resource: str, size: int) -> str:
        """Give the first object of a resource an annotation of `size` bytes; returns its key, "" if there is none."""
        objects, _ = self.storage.list_stored(resource)
        if not objects:
            return ""
        namespace, _, name = objects[0].key.rpartition("/")
        obj = self.storage.get(resource, namespace, name)
        if obj is None:
            return ""
        annotations = obj["metadata"].get("annotations") or {}
        obj["metadata"]["annotations"] = {**annotations, "kdash.dev/filler": "x" * size}
        self.storage.update(resource, obj, check_version=False)
        return objects[0].key

    def restart(self, *, keep_history: bool = True, down_s: float = 0.2) -> None:
        """Go down and come back on the same port: watches end cleanly, connections close, new ones are refused for
        `down_s`. Without the history every watch from before is 410."""

        async def cycle() -> int:
            if self._listener is not None:
                self._listener.close()
            self.end_watches()
            for connection in list(self._connections):
                connection.close_when_idle()
            await asyncio.sleep(down_s)
            for connection in list(self._connections):
                connection.reset()
            if not keep_history:
                self.storage.restart()
            await self._listen()
            return 1

        self._on_loop(cycle, timeout_s=down_s + 5.0)

    def inject(self, piece: bytes) -> None:
        """Write a piece into every open watch as it is."""
        for watch in list(self.watches):
            watch.inject(piece)

    def reset_connections(self) -> int:
        """Reset every connection; returns how many."""

        async def reset() -> int:
            connections = list(self._connections)
            for connection in connections:
                connection.reset()
            return len(connections)

        return self._on_loop(reset)

    def _on_loop(self, work: Callable[[], Coroutine[object, object, int]], timeout_s: float = 1.0) -> int:
        """Run `work` on the loop and wait for it; 0 when the loop has ended."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return 0
        coroutine = work()
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, loop).result(timeout_s)
        except (FutureTimeout, RuntimeError):
            coroutine.close()
            return 0
