"""The embedded API server as an observation uses it: started as the user asked for, known by its URL."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["DemoServer", "start_demo_server"]


class DemoServer(Protocol):
    """The part of the embedded server that kdash uses."""

    @property
    def url(self) -> str: ...

    def stop(self) -> None: ...


def start_demo_server(
    *,
    objects: int | None = None,
    rate: float | None = None,
    seed: int | None = None,
    scenario: str | None = None,
    port: int = 0,
) -> DemoServer:
    """Start it on 127.0.0.1; None means the server's default. Raises `BadValue` for an unknown scenario."""
    from kdash.demo import ApiServer

    options: dict[str, Any] = {
        "objects": objects, "rate": rate, "seed": seed, "scenario": scenario, "port": port
    }  # fmt: skip
    server = ApiServer(**{name: value for name, value in options.items() if value is not None})
    server.start()
    return server
