"""Plays one recorded exchange back, byte for byte as far as HTTP goes, without its waiting times."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from kdash.informer.list_watch import ListOptions
from kdash.informer.resources import ResourceInfo
from tests.cluster.scripted_server import Exchange

FOLDER = Path(__file__).parent / "exchanges"
_OPTIONS = {
    "resourceVersion": "resource_version",
    "resourceVersionMatch": "resource_version_match",
    "limit": "limit",
    "continue": "continue_token",
    "labelSelector": "label_selector",
    "fieldSelector": "field_selector",
    "timeoutSeconds": "timeout_seconds",
    "allowWatchBookmarks": "allow_watch_bookmarks",
    "sendInitialEvents": "send_initial_events",
}


@dataclass(frozen=True)
class Recording:
    """One exchange file."""

    name: str
    document: dict[str, Any]

    @property
    def number(self) -> int:
        return int(Path(self.name).name.split("-", 1)[0])

    @property
    def response(self) -> dict[str, Any]:
        return self.document["response"]

    @property
    def status(self) -> int | None:
        return self.response["status"]

    @cached_property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.document["request"]["path"]).query, keep_blank_values=True))

    @property
    def accept(self) -> str:
        return self.document["request"].get("headers", {}).get("Accept", "application/json")

    @property
    def is_watch(self) -> bool:
        return self.query.get("watch", "0") not in ("0", "false") and self.resource is not None

    @property
    def is_stream(self) -> bool:
        return "lines" in self.response

    @cached_property
    def body(self) -> bytes:
        if "body_base64" in self.response:
            return base64.b64decode(self.response["body_base64"])
        return self.response.get("body", "").encode()

    @cached_property
    def json(self) -> Any:
        return json.loads(self.body)

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line["text"]) for line in self.response["lines"]]

    @cached_property
    def resource(self) -> tuple[ResourceInfo, str] | None:
        """The collection that was asked for and its namespace; None when the path is no collection."""
        parts = urlsplit(self.document["request"]["path"]).path.strip("/").split("/")
        if self.document["request"]["method"] != "GET" or parts[0] not in ("api", "apis"):
            return None
        if parts[0] == "api":
            parts.insert(1, "")
        if len(parts) < 4:
            return None
        group, version, rest = parts[1], parts[2], parts[3:]
        namespace = rest[1] if len(rest) == 3 and rest[0] == "namespaces" else ""
        if len(rest) != (3 if namespace else 1):
            return None
        return ResourceInfo(group, version, rest[-1], "", bool(namespace)), namespace

    @property
    def options(self) -> ListOptions:
        """What kdash's own client can ask of the query."""
        given: dict[str, Any] = {_OPTIONS[k]: v for k, v in self.query.items() if k in _OPTIONS}
        for name in ("limit", "timeout_seconds"):
            if name in given:
                given[name] = int(given[name]) if given[name].isdigit() else 0
        for name in ("allow_watch_bookmarks", "send_initial_events"):
            given[name] = given.get(name) in ("1", "true")
        return ListOptions(**given)

    def play(self, exchange: Exchange) -> None:
        """Answer one request with the recorded response."""
        response = self.response
        if self.status is None:
            exchange.close()
            return
        head = [f"HTTP/1.1 {self.status} Recorded"]
        for name, values in response["headers"].items():
            head += [f"{name}: {value}" for value in (values if isinstance(values, list) else [values])]
        exchange.send("\r\n".join([*head, "", ""]).encode())
        chunked = response["headers"].get("Transfer-Encoding") == "chunked"
        if self.is_stream:
            self._play_stream(exchange)
        elif chunked:
            for at in range(0, len(self.body), 4000):
                exchange.chunk(self.body[at : at + 4000])
            exchange.last_chunk()
        else:
            exchange.send(self.body)
        if response["headers"].get("Connection") == "close":
            exchange.close()

    def _play_stream(self, exchange: Exchange) -> None:
        wire = "".join(line["text"] + "\n" for line in self.response["lines"]).encode()
        lines = wire.splitlines(keepends=True)
        if self.response.get("chunks_ending_inside_a_line"):
            lines = [wire[at : at + 700] for at in range(0, len(wire), 700)]
        for line in lines:
            exchange.chunk(line)
        closed = self.response["closed"]
        if closed == "end-of-body":
            exchange.last_chunk()
        elif closed == "eof-without-terminator":
            exchange.close()
        else:
            exchange.wait_for_hang_up()


def recordings(*folders: str) -> Iterator[Recording]:
    for folder in folders:
        for path in sorted((FOLDER / folder).glob("[0-9]*.json")):
            yield Recording(str(Path(folder, path.stem)), json.loads(path.read_text()))


ALL = {r.name: r for r in recordings(".", "more")}
BY_NUMBER = {r.number: r for r in ALL.values()}
