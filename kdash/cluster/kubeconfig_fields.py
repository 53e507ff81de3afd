"""Which types the fields of a kubeconfig have, for those that kdash reads.

Contract: pure. `wrong_field` names the first field of the wrong type by its path, and never its value: it may be a
token. As in kubectl a number may stand for a text, and null for "not set"; fields that are not listed are anybody's.
"""

from __future__ import annotations

from typing import Any

__all__ = ["wrong_field"]

_TEXT, _FLAG = "a text", "true or false"
_WORDS = {dict: "a mapping", list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
_TEXTS = [_TEXT]

_CLUSTER = dict.fromkeys(
    ("server", "certificate-authority", "certificate-authority-data", "tls-server-name", "proxy-url"), _TEXT
) | {"insecure-skip-tls-verify": _FLAG, "disable-compression": _FLAG}
_EXEC = dict.fromkeys(("command", "apiVersion", "interactiveMode", "installHint"), _TEXT) | {
    "provideClusterInfo": _FLAG,
    "args": _TEXTS,
    "env": [{"name!": _TEXT, "value": _TEXT}],
}
_USER = dict.fromkeys(
    (
        "client-certificate", "client-certificate-data", "client-key", "client-key-data", "token", "tokenFile",
        "username", "password", "as", "as-uid",
    ),
    _TEXT,
) | {
    "as-groups": _TEXTS,
    "as-user-extra": {"*": _TEXTS},
    "exec": _EXEC,
    "auth-provider": {"name": _TEXT, "config": {"*": _TEXT}},
}  # fmt: skip
_CONTEXT = dict.fromkeys(("cluster", "user", "namespace"), _TEXT)
_SHAPE: dict[str, Any] = {
    "kind": _TEXT,
    "apiVersion": _TEXT,
    "current-context": _TEXT,
    "clusters": [{"name": _TEXT, "cluster": _CLUSTER}],
    "users": [{"name": _TEXT, "user": _USER}],
    "contexts": [{"name": _TEXT, "context": _CONTEXT}],
}


def wrong_field(document: dict[str, Any]) -> str:
    """`users[2].user.exec is a text where a mapping belongs`; "" when every field has its type."""
    return _wrong(document, _SHAPE, "")


def _wrong(value: Any, shape: Any, path: str) -> str:
    expected: type | tuple[type, ...] = type(shape)
    words = _WORDS.get(type(shape), "")
    if shape is _TEXT:
        expected, words = object, _TEXT
    elif shape is _FLAG:
        expected, words = bool, _FLAG
    misplaced = not isinstance(value, expected) or (shape is _TEXT and isinstance(value, dict | list | bytes | set))
    if misplaced:
        return f"{path} is {_WORDS.get(type(value), 'something else')} where {words} belongs"
    if isinstance(shape, list):
        for number, item in enumerate(value):
            there = f"{path}[{number}]"
            if wrong := (f"{there} is empty" if item is None else _wrong(item, shape[0], there)):
                return wrong
    elif isinstance(shape, dict):
        return _wrong_in_mapping(value, shape, path)
    return ""


def _wrong_in_mapping(value: dict[Any, Any], shape: dict[str, Any], path: str) -> str:
    for name, of in shape.items():
        field = name.removesuffix("!")
        for key in value if name == "*" else (field,):
            there = ".".join(part for part in (path, "a key" if name == "*" else field) if part)
            inner = value.get(key)
            if inner is None:
                if name.endswith("!"):
                    return f"{there} is missing"
            elif wrong := _wrong(inner, of, there):
                return wrong
    return ""
