"""What a failed attempt to connect means for the state on the screen."""

from __future__ import annotations

from kdash.informer.errors import ApiStatusError
from kdash.probe.informers import Problem, Target
from kdash.probe.snapshot import StateView
from kdash.probe.state import explain
from kdash.probe.text import shorten

__all__ = ["is_final", "state_of_failure"]

EXIT_DENIED = 4


def is_final(error: BaseException) -> bool:
    """Whether trying again cannot help: the configuration or a name on the command line is wrong."""
    code = getattr(error, "exit_code", None)
    return code is not None and code != EXIT_DENIED


def state_of_failure(
    error: BaseException, resource: str, at: float, retry_at: float | None, retry_no: int
) -> StateView:
    """The state word and sentence for what `connect` or discovery raised."""
    code = getattr(error, "exit_code", None)
    if code == EXIT_DENIED:
        return StateView("DENIED", shorten(str(error)), retry_at, retry_no, EXIT_DENIED)
    if code is not None:
        return StateView("STOPPED", shorten(str(error)), exit_code=code)
    status = error if isinstance(error, ApiStatusError) else None
    problem = Problem(
        at, "discovery", type(error).__name__, status.code if status else 0, status.reason if status else "",
        shorten(str(error)),
    )  # fmt: skip
    word, sentence, exit_code = explain(problem, Target(resource, resource=resource))
    return StateView(word, sentence, retry_at, retry_no, exit_code)
