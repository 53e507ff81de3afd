"""Copying: OSC 52 asks the terminal to take a text into its clipboard; where that cannot work, a file has it.

A terminal never answers whether it took the text. So kdash decides by what is known: a text that is too long for OSC
52, a terminal without it, or a multiplexer in between (which takes it only when told so) get a file beside it.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from kdash.ui.files import state_folder, write_new

__all__ = ["copy_text", "osc52_problem"]

_LONGEST = 74_994
"""Base64 characters that xterm takes, and most others with it."""
_WITHOUT = ("linux", "dumb", "unknown", "")


def osc52_problem(environ: Mapping[str, str] = os.environ) -> str:
    """Why this terminal may not take a text; "" when nothing is known against it."""
    if environ.get("TERM", "") in _WITHOUT:
        return "this terminal has no clipboard"
    if environ.get("TERM_PROGRAM") == "Apple_Terminal":
        return "Terminal.app takes no text from programs"
    if environ.get("TMUX"):
        return "tmux passes it on with `set -g set-clipboard on` only"
    if environ.get("STY"):
        return "GNU screen does not pass it on"
    return ""


def copy_text(
    text: str, what: str, send: Callable[[str], None], folder: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> tuple[bool, str]:
    """Copy `text`; returns whether it worked, and one sentence. `send` asks the terminal."""
    problem = osc52_problem(environ)
    if len(base64.b64encode(text.encode("utf-8", "replace"))) > _LONGEST:
        problem = "it is too long for the terminal's clipboard"
    else:
        send(text)
    if not problem:
        return True, f"copied {what}"
    try:
        path = write_new(folder or state_folder() / "copies", "copy", "txt", text)
    except OSError as error:
        return False, f"{what} may not be in the clipboard ({problem}), and no file could be written: {error.strerror}"
    return True, f"copied {what} to {path}: {problem}"
