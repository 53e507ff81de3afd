"""The one place that says what may differ between a recorded answer and the embedded server's.

Names, values, types, key sets, key order, sequences of events and how a stream ends must be equal. What may differ:
uids, times, ages, hashes, addresses, build information, the numbers of resource versions (their order may not), how
often a bookmark is repeated, what a column's description says, what a decoder says of a broken token, and mentions of
protobuf, which the embedded server does not speak.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import yaml

UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
AGE = re.compile(r"(\d+[smhdy])+")
PROTOBUF = re.compile(r",? ?application/vnd\.kubernetes\.protobuf(;stream=watch)?")
BUILD = ("gitVersion", "gitCommit", "buildDate", "goVersion", "compiler", "platform", "gitTreeState")
HEADERS = ("Content-Type", "Content-Encoding", "Vary", "Warning", "X-Content-Type-Options", "Cache-Control",
           "Retry-After", "Connection")  # fmt: skip


class Versions:
    """Resource versions by rank: 1 for the lowest of an answer."""

    def __init__(self, texts: list[str]) -> None:
        found: set[int] = set()
        for text in texts:
            found |= {int(number) for number in re.findall(r'"resourceVersion": ?"(\d+)"', text)}
            found |= {token["rv"] for token in map(_token, re.findall(r'"continue": ?"([^"]+)"', text)) if token}
        self._ranks = {number: rank for rank, number in enumerate(sorted(found), 1)}

    def rank(self, number: int) -> int:
        return self._ranks.get(number, number)


def _token(text: str) -> dict[str, Any] | None:
    try:
        token = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        return None
    return token if isinstance(token, dict) else None


def normal(value: Any, versions: Versions, name: str = "") -> Any:
    """A decoded value without what may differ; `name` is the key that it stands at."""
    if isinstance(value, dict):
        return {key: normal(part, versions, key) for key, part in value.items()}
    if isinstance(value, list):
        return [normal(part, versions, name) for part in value]
    if not isinstance(value, str):
        return value
    if name in BUILD or name == "storageVersionHash":
        return "BUILD"
    if name == "resourceVersion" and value.isdigit():
        return f"RV{versions.rank(int(value))}"
    if name == "continue" and (token := _token(value)):
        return {**token, "rv": versions.rank(token["rv"])}
    if name == "description" and value:
        return "WORDS"
    if name == "cells" and AGE.fullmatch(value):
        return "AGE"
    text = TIME.sub("TIME", UID.sub("UID", value))
    text = re.sub(r"current: \d+", "current: N", re.sub(r"(too old resource version: \d+) \(\d+\)", r"\1 (N)", text))
    text = re.sub(r"(continue key is not valid): .*", r"\1", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", text)
    return re.sub(r"hash=[0-9A-F]+", "hash=H", PROTOBUF.sub("", text))


def body_of(content_type: str, text: str) -> Any:
    """A body as something to compare: decoded JSON (as text, so that the order of keys counts), YAML or plain text."""
    if "json" in content_type and text.strip():
        versions = Versions([text])
        indented = text.startswith("{\n")
        return indented, text.endswith("\n"), json.dumps(normal(json.loads(text), versions), ensure_ascii=False)
    if "yaml" in content_type:
        return normal(yaml.safe_load(text), Versions([text]))
    return text


def lines_of(texts: list[str]) -> list[str]:
    """The lines of a stream, each once: a bookmark that repeats the last one is left out."""
    versions = Versions([text for text in texts if '"type":"BOOKMARK"' not in text or "initial-events-end" in text])
    out: list[str] = []
    for text in texts:
        event = json.loads(text)
        if event["type"] == "BOOKMARK" and "initial-events-end" not in text:
            event = _without_version(event)
        line = json.dumps(normal(event, versions), ensure_ascii=False)
        if not (out and event["type"] == "BOOKMARK" and out[-1] == line):
            out.append(line)
    return out


def _without_version(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: "NEWEST" if key == "resourceVersion" else _without_version(part) for key, part in value.items()}
    return [_without_version(part) for part in value] if isinstance(value, list) else value
