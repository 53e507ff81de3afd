"""A Kubernetes informer for Python: a port of the core of client-go (`k8s.io/client-go/tools/cache`).

An informer keeps a copy of a collection of objects up to date by one list and one watch, calls your
handlers for every change, and answers reads from the copy, without a request. The usual use:

    from datetime import timedelta
    from kdash.cluster import connect
    from kdash.informer import SharedInformerFactory

    factory = SharedInformerFactory(connect(), default_resync=timedelta(minutes=10))
    pods = factory.core.v1.pods()

    def on_update(old, new):
        if old.resource_version != new.resource_version:  # equal: a resync, nothing has changed
            print("changed", new.key, new["status"]["phase"])

    pods.informer().add_event_handler(
        on_add=lambda pod: print("new", pod.key),
        on_update=on_update,
        on_delete=lambda pod: print("gone", pod.key),  # may be a DeletedFinalStateUnknown
    )
    factory.start()
    if not factory.wait_for_cache_sync(timeout=timedelta(seconds=30)):
        raise SystemExit("the cache did not sync")
    for pod in pods.lister().list():
        print(pod.namespace, pod.name)
    factory.shutdown()

Objects are shared with the cache and must not be changed; `obj.to_dict()` gives a copy. Handlers run in
threads of their own, one per handler, and get their changes in order. A resync replays the cache to the
handlers that asked for it and makes no request; only a relist fetches the state anew.

The names below are the public surface; they are imported when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdash.informer.clock import Clock, SystemClock, VirtualClock, new_random
    from kdash.informer.controller import Controller, ControllerConfig
    from kdash.informer.errors import (
        ApiStatusError,
        ConnectionRefused,
        ConnectionReset,
        DecodeError,
        InformerError,
        StopRequested,
        TransportError,
        UnexpectedEOF,
    )
    from kdash.informer.factory import ResourceInformer, SharedInformerFactory
    from kdash.informer.handlers import (
        FilteringResourceEventHandler,
        ResourceEventHandler,
        ResourceEventHandlerFuncs,
    )
    from kdash.informer.identity import InformerName
    from kdash.informer.indexer import NAMESPACE_INDEX, Indexer, meta_namespace_index_func, new_indexer
    from kdash.informer.informer_options import SharedIndexInformerOptions
    from kdash.informer.list_watch import CancelToken, ListerWatcher, ListOptions, TweakedListerWatcher
    from kdash.informer.listers import Lister, NotFoundError
    from kdash.informer.objects import KubeObject
    from kdash.informer.plain_informer import new_informer
    from kdash.informer.queue.protocol import DeletedFinalStateUnknown
    from kdash.informer.reflector import Reflector
    from kdash.informer.registration import HandlerRegistration
    from kdash.informer.resources import Client, ResourceInfo
    from kdash.informer.resync_periods import PeriodChange, ResyncOutcome
    from kdash.informer.shared_informer import SharedIndexInformer
    from kdash.informer.tap import RingTap, Tap
    from kdash.informer.wait import CacheSyncError, SyncResult, wait_for, wait_for_cache_sync


_MODULES = {
    "clock": "Clock SystemClock VirtualClock new_random",
    "controller": "Controller ControllerConfig",
    "errors": "ApiStatusError ConnectionRefused ConnectionReset DecodeError InformerError StopRequested "
    "TransportError UnexpectedEOF",
    "factory": "ResourceInformer SharedInformerFactory",
    "handlers": "FilteringResourceEventHandler ResourceEventHandler ResourceEventHandlerFuncs",
    "identity": "InformerName",
    "indexer": "Indexer NAMESPACE_INDEX meta_namespace_index_func new_indexer",
    "informer_options": "SharedIndexInformerOptions",
    "listers": "Lister NotFoundError",
    "list_watch": "CancelToken ListOptions ListerWatcher TweakedListerWatcher",
    "objects": "KubeObject",
    "plain_informer": "new_informer",
    "queue.protocol": "DeletedFinalStateUnknown",
    "reflector": "Reflector",
    "registration": "HandlerRegistration",
    "resources": "Client ResourceInfo",
    "resync_periods": "PeriodChange ResyncOutcome",
    "shared_informer": "SharedIndexInformer",
    "tap": "RingTap Tap",
    "wait": "CacheSyncError SyncResult wait_for wait_for_cache_sync",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = [
    "NAMESPACE_INDEX",
    "ApiStatusError",
    "CacheSyncError",
    "CancelToken",
    "Client",
    "Clock",
    "ConnectionRefused",
    "ConnectionReset",
    "Controller",
    "ControllerConfig",
    "DecodeError",
    "DeletedFinalStateUnknown",
    "FilteringResourceEventHandler",
    "HandlerRegistration",
    "Indexer",
    "InformerError",
    "InformerName",
    "KubeObject",
    "ListOptions",
    "Lister",
    "ListerWatcher",
    "NotFoundError",
    "PeriodChange",
    "Reflector",
    "ResourceEventHandler",
    "ResourceEventHandlerFuncs",
    "ResourceInfo",
    "ResourceInformer",
    "ResyncOutcome",
    "RingTap",
    "SharedIndexInformer",
    "SharedIndexInformerOptions",
    "SharedInformerFactory",
    "StopRequested",
    "SyncResult",
    "SystemClock",
    "Tap",
    "TransportError",
    "TweakedListerWatcher",
    "UnexpectedEOF",
    "VirtualClock",
    "meta_namespace_index_func",
    "new_indexer",
    "new_informer",
    "new_random",
    "wait_for",
    "wait_for_cache_sync",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
