"""The state word of the header and the sentence behind it (pure functions over informer states).

LIVE: synced, stream open or briefly being reopened. SYNCING: the first state is being fetched. RETRY:
something failed, the next attempt is due. DENIED: the server refuses who we are or what we ask. STALE: the
stream failed a while ago and nothing came since; the cache is shown as it was. SUSPECT: the watch is open,
but has been silent for longer than its server lets it be. STOPPED: over. A quiet resource is not stale.
"""

from __future__ import annotations

from collections.abc import Iterable

from kdash.probe.informers import InformerState, Problem, Target
from kdash.probe.snapshot import StateView
from kdash.probe.text import duration, plural, shorten

__all__ = ["STALE_AFTER_S", "explain", "state_of", "state_of_all"]

STALE_AFTER_S = 30.0
_ANSWERS_WITHIN_S = 2.0
_RANK = ("LIVE", "STOPPED", "SUSPECT", "SYNCING", "STALE", "RETRY", "DENIED")

EXIT_FAILED, EXIT_NO_CONNECTION, EXIT_DENIED = 1, 3, 4


def state_of_all(
    states: Iterable[InformerState], now: float, connection: StateView | None = None
) -> StateView:
    """The word for all informers together: the worst one's. `connection` speaks while there are none."""
    if connection is not None:
        return connection
    views = [state_of(state, now) for state in states]
    if not views:
        return StateView()
    return max(views, key=lambda view: _RANK.index(view.word))


def state_of(state: InformerState, now: float) -> StateView:
    """The word for one informer."""
    if state.stopped:
        return StateView("STOPPED", f"{state.target.name}: stopped")
    lost_s = now - state.stream_lost_at if state.stream_lost_at is not None else 0.0
    waits = _unanswered(state, now)
    if state.problem is not None:
        word, sentence, exit_code = explain(state.problem, state.target)
        if waits:
            sentence = f"{waits}; before that: {sentence}"
        if state.synced:
            sentence += f"; the cache is shown as of {duration(max(lost_s, 0.0))} ago"
            if word == "RETRY" and state.backoff_until is None and lost_s > STALE_AFTER_S:
                word = "STALE"
        return StateView(word, sentence, state.backoff_until, max(1, state.retries), exit_code)
    if state.end_missing is not None:
        came = plural(state.end_missing, "object")
        came = came if state.end_missing < 1000 else f"{state.end_missing:,} objects"
        sentence = f"{came} came, the end marker has not: a proxy or aggregated API?"
        return StateView("SYNCING", f"{state.target.name}: {sentence}")
    if not state.synced:
        received = f"{plural(state.received, 'object')} received" if state.received else "waits for the first answer"
        return StateView("SYNCING", waits or f"{state.target.name}: {received}")
    if lost_s > STALE_AFTER_S:
        sentence = f"{state.target.name}: no word from the server for {duration(lost_s)}, the cache is kept"
        return StateView("STALE", sentence, exit_code=EXIT_NO_CONNECTION)
    if state.silence == "suspect":
        silent_s = state.silent_s + max(now - state.silence_at, 0.0)
        sentence = f"{state.target.name}: no byte on the watch for {duration(silent_s)}, a second one is tried"
        return StateView("SUSPECT", sentence)
    return StateView("LIVE")


def _unanswered(state: InformerState, now: float) -> str:
    """What goes on now: a request for the whole state that has had no answer for a while; "" when there is none."""
    if state.asked_at is None or now - state.asked_at < _ANSWERS_WITHIN_S:
        return ""
    request = "watch-list" if state.state == "watch-listing" else "LIST"
    return f"{state.target.name}: the {request} has had no answer for {duration(float(int(now - state.asked_at)))}"


def explain(problem: Problem, target: Target) -> tuple[str, str, int]:
    """(state word, one sentence that says what is wrong and what to do, exit code)."""
    code, message = problem.http_code, problem.message
    if code == 403 or problem.reason == "Forbidden":
        return "DENIED", _forbidden(target), EXIT_DENIED
    if code == 401 or problem.reason == "Unauthorized":
        return "DENIED", _unauthorized(message), EXIT_DENIED
    if code:
        return "RETRY", _http_error(problem, target), EXIT_FAILED
    sentence = transport_sentence(problem.error_class, message)
    if sentence is None:
        return "RETRY", f"{target.name}: {message or problem.error_class}", EXIT_FAILED
    return "RETRY", sentence, EXIT_NO_CONNECTION


def _forbidden(target: Target) -> str:
    where = f"in namespace {target.namespace}" if target.namespace else "in all namespaces"
    kind = f"Role in {target.namespace}" if target.namespace else "ClusterRole"
    resource = target.resource or target.name
    return (
        f"forbidden: you may not list and watch {resource} {where}; ask for a {kind} with the rule "
        f'apiGroups: ["{target.group}"], resources: ["{resource}"], verbs: ["get", "list", "watch"]'
    )


def _unauthorized(message: str) -> str:
    if "expired" in message.lower():
        return "the server says that the token has expired (401): log in again, then kdash goes on by itself"
    return "the server does not know you (401): log in again or check the credentials of the context's user"


def _http_error(problem: Problem, target: Target) -> str:
    code, name, text = problem.http_code, target.name, shorten(problem.message, 160)
    if code == 404:
        return f"the server has no {name} (404): is the resource, or its CRD, installed?"
    if code == 410:
        return f"{name}: the version to go on from is too old (410), the state is fetched anew"
    if code == 429:
        return f"{name}: the server is busy and asks to come back later (429)"
    if code >= 500:
        return f"{name}: the server failed ({code} {problem.reason or 'error'}): {text}"
    return f"{name}: the server answered {code} {problem.reason}: {text}"


def transport_sentence(error_class: str, message: str) -> str | None:
    """What a failed connection means; None when the error is none of the transport."""
    text = message.lower()
    detail = shorten(message, 160)
    if error_class == "ConnectionRefused" or "connection refused" in text:
        return f"connection refused: is the API server up, is its address right? ({detail})"
    if any(word in text for word in ("certificate", "ssl", "tls")):
        return f"TLS failed: {detail}; check certificate-authority and the server's name in the kubeconfig"
    if any(word in text for word in ("name or service", "resolve", "getaddrinfo", "nodename", "no address")):
        return f"the API server's name cannot be found: {detail}; check the server's URL, DNS or the VPN"
    if "timed out" in text or "timeout" in text:
        return f"the API server does not answer in time: {detail}"
    if error_class in ("ConnectionReset", "UnexpectedEOF"):
        return f"the connection to the API server broke: {detail or error_class}"
    if error_class == "TransportError":
        return f"no connection to the API server: {detail or error_class}"
    return None
