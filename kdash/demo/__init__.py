"""A Kubernetes list/watch server in one package, for demos and for tests of controllers.

    from kdash.demo import ApiServer
    with ApiServer(objects=20) as server:
        ...                                   # server.url, server.storage, server.faults, server.log

It serves discovery, list, watch and CRUD for the usual kinds and for custom resources, with resource versions,
paging, bookmarks, 410 and the rest of the protocol, on 127.0.0.1. It imports nothing else of kdash.
"""

from kdash.demo.access import Rule, User
from kdash.demo.fault_menu import MENU, Fault, parse_fault
from kdash.demo.server import ApiServer

__all__ = ["MENU", "ApiServer", "Fault", "Rule", "User", "parse_fault"]
