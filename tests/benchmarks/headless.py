"""What the dashboard observes with, without its screen: `python -m tests.benchmarks.headless KUBECONFIG`.

Prints a line when everything has synced and ends with its standard input.
"""

from __future__ import annotations

import sys
import time

from kdash.observe.handlers import HandlerSpec
from kdash.observe.live import Wanted
from kdash.observe.opening import open_cluster


def main() -> None:
    wanted = Wanted(resync_s=0.0, all_namespaces=True, handlers=(HandlerSpec("count"),))
    observation = open_cluster(wanted, kubeconfig=sys.argv[1])
    observation.start()
    while not any(informer.synced for informer in observation.snapshot().informers):
        time.sleep(0.05)
    print("synced", flush=True)
    sys.stdin.read()
    observation.stop()


if __name__ == "__main__":
    main()
