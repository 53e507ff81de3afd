"""A Kubernetes list/watch server in one package, for demos and for tests of controllers.

    from kdash.demo import ApiServer

    with ApiServer(objects=20) as server:
        ...                                   # server.url, server.kubeconfig(), server.storage, server.log

It serves discovery, list, watch and CRUD for the usual kinds and for custom resources, with resource versions,
paging, bookmarks, 410 and the rest of the protocol, on 127.0.0.1. It imports nothing else of kdash.

As a pytest fixture, to test a controller against it; without a workload nothing changes but what the test changes:

    @pytest.fixture
    def api_server():
        with ApiServer(workload=False) as server:
            server.storage.create("namespaces", {"metadata": {"name": "default"}})
            yield server

    def test_my_controller_survives_a_lost_history(api_server, tmp_path):
        kubeconfig = api_server.write_kubeconfig(tmp_path / "kubeconfig")
        ...                                                  # start the controller with that kubeconfig
        api_server.storage.create("configmaps", {"metadata": {"name": "a", "namespace": "default"}})
        api_server.faults.add(parse_fault("expire-watches")) # see MENU for every fault
        api_server.faults.add(Fault("503", verb="LIST", resource="configmaps", times=3))
        ...
        assert api_server.log.records()[-1].code == 200      # the log of truth: every request,
        assert api_server.storage.changes()[-1].type == "ADDED"      # and every change

`User` and `Rule` give tokens with fewer permissions: `ApiServer(users={"token": User("bob", (Rule(("list",),
("pods",)),))})`. A server in another process takes faults on its control path (`kdash.demo.control`).
"""

from kdash.demo.access import Rule, User
from kdash.demo.fault_menu import MENU, Fault, parse_fault
from kdash.demo.server import ApiServer

__all__ = ["MENU", "ApiServer", "Fault", "Rule", "User", "parse_fault"]
