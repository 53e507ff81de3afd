"""How a command ends when it cannot do what it should: one sentence and an exit code."""

from __future__ import annotations

__all__ = ["DENIED", "FAILED", "FINE", "INTERRUPTED", "NO_CONNECTION", "USAGE", "CommandFailed"]

FINE, FAILED, USAGE, NO_CONNECTION, DENIED, INTERRUPTED = 0, 1, 2, 3, 4, 130


class CommandFailed(Exception):
    """The sentence goes to stderr, the code to the shell."""

    def __init__(self, sentence: str, exit_code: int = FAILED) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code
