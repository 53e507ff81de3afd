"""The report of a crash: where it happened and on what, without local variables and without secrets."""

from __future__ import annotations

import platform
import re
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

from kdash import __version__
from kdash.probe.text import clean
from kdash.ui.files import state_folder, write_new

__all__ = ["redact", "report_text", "write_report"]

_LONGEST = 2000
_SECRETS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]+"), r"\1 ‹hidden›"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,2}"), "‹hidden›"),
    (re.compile(r"(?i)([a-z][a-z0-9+.-]*://)[^/@\s]+@"), r"\1‹hidden›@"),
    (re.compile(r"(?i)((?:token|password|passwd|secret|api[_-]?key|client-key-data|authorization)[\"']?\s*[=:]\s*)"
                r"[\"']?[^\s,;\"'}]+"), r"\1‹hidden›"),
    (re.compile(r"-----BEGIN[^-]*-----.*?(?:-----END[^-]*-----|$)", re.DOTALL), "‹hidden›"),
    (re.compile(r"[A-Za-z0-9+/]{60,}={0,2}"), "‹hidden›"),
)


def redact(text: str) -> str:
    """`text` without what looks like a credential, and without the name of the user's home folder."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text


def report_text(error: BaseException, facts: Mapping[str, str]) -> str:
    """The whole report."""
    frames = traceback.TracebackException.from_exception(error, capture_locals=False)
    lines = [f"kdash {__version__} crashed. This report holds no objects, tokens or local variables.", ""]
    lines += [f"python    {platform.python_version()} on {platform.platform()}",
              f"textual   {_version('textual')}, rich {_version('rich')}"]
    lines += [f"{name:<9} {clean(redact(value))[:_LONGEST]}" for name, value in facts.items()]
    lines.append("")
    lines += [clean(redact(row))[:_LONGEST] for part in frames.format() for row in part.rstrip("\n").split("\n")]
    return "\n".join(lines) + "\n"


def _version(package: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


def write_report(error: BaseException, facts: Mapping[str, str], folder: Path | None = None) -> Path:
    """Write the report where only its owner can read it; returns its path. Raises OSError."""
    facts = {"command": " ".join(part for part in sys.argv[1:2] if part.isalpha()) or "dashboard", **facts}
    return write_new(folder or state_folder() / "crashes", "crash", "txt", report_text(error, facts))
