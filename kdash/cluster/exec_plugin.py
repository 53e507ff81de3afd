"""Credentials from an exec plugin (client.authentication.k8s.io), run without a terminal.

Contract: one run at a time per plugin, in the thread whose request needs it; all other requests wait for its
result. The plugin gets no terminal: stdin is empty, stderr is captured for the error's sentence, and it runs
in a session of its own. Its credential is kept until shortly before it expires or the server rejects it; a
failure is kept for `_FAILURE_KEPT_S`, so that many informers do not start it over and over. A plugin that
fails means no request: kdash never goes on anonymously. Ports client-go's plugin/pkg/client/auth/exec.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kdash.cluster.errors import ConfigError, CredentialError, clean_text
from kdash.informer.clock import Clock
from kdash.informer.errors import StopRequested
from kdash.informer.list_watch import CancelToken

__all__ = ["ExecCredential", "ExecPlugin"]

_VERSIONS = tuple(f"client.authentication.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1"))
_SLICE_S = 0.05
_FAILURE_KEPT_S = 2.0
_OUTPUT_MAX = 1 << 20
_LARGEST_SKEW_S = 30.0
PLUGIN_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class ExecCredential:
    """What a plugin gave: a token, a client certificate with its key, or both."""

    token: str = ""
    certificate: str = ""
    key: str = ""
    renew_at: float | None = None
    """Wall-clock second from which a new one is needed; None = never expires."""

    def __repr__(self) -> str:
        return f"ExecCredential(token={bool(self.token)}, certificate={bool(self.certificate)})"


@contextlib.contextmanager
def _held(lock: threading.Lock, cancel: CancelToken) -> Iterator[None]:
    while not lock.acquire(timeout=_SLICE_S):
        if cancel.cancelled:
            raise StopRequested("the request was cancelled while it waited for credentials")
    try:
        yield
    finally:
        lock.release()


class ExecPlugin:
    """One user's `exec:` section. Thread-safe."""

    def __init__(
        self,
        spec: Mapping[str, Any],
        cluster: Mapping[str, Any],
        clock: Clock,
        *,
        environ: Mapping[str, str] | None = None,
        timeout_s: float = PLUGIN_TIMEOUT_S,
    ) -> None:
        self.command = str(spec.get("command") or "")
        self.name = clean_text(os.path.basename(self.command), 80)
        self.runs = 0
        self._spec, self._cluster, self._clock, self._timeout_s = spec, cluster, clock, timeout_s
        self._environ = os.environ if environ is None else environ
        self._api_version = str(spec.get("apiVersion") or "")
        if not self.command:
            raise ConfigError("the exec section of the kubeconfig's user names no command")
        if self._api_version not in _VERSIONS:
            raise ConfigError(
                f"the credential plugin {self.name!r} asks for apiVersion "
                f"{clean_text(self._api_version, 60)!r}, which is not known; use {_VERSIONS[0]}"
            )
        if spec.get("interactiveMode") == "Always":
            raise ConfigError(
                f"the credential plugin {self.name!r} must have a terminal (interactiveMode: Always), which "
                "it cannot have beside a dashboard; log in with kubectl and use its token, or set IfAvailable"
            )
        self._lock = threading.Lock()  # guards all below, and is held while the plugin runs
        self._credential: ExecCredential | None = None
        self._failure: tuple[float, CredentialError] | None = None

    def credential(self, cancel: CancelToken) -> ExecCredential:
        """The kept credential, or a fresh one. Raises `CredentialError`, `StopRequested` when cancelled."""
        with _held(self._lock, cancel):
            kept = self._credential
            if kept is not None and (kept.renew_at is None or self._clock.wall() < kept.renew_at):
                return kept
            if self._failure is not None and self._clock.wall() < self._failure[0]:
                raise CredentialError(str(self._failure[1]))
            self._failure = None
            try:
                self._credential = self._parse(self._run(cancel))
            except CredentialError as e:
                self._credential = None
                self._failure = (self._clock.wall() + _FAILURE_KEPT_S, e)
                raise
            return self._credential

    def rejected(self) -> None:
        """The server answered 401: ask the plugin again for the next request."""
        if self._lock.acquire(blocking=False):  # a run that is going on gives a fresh one anyway
            self._credential = None
            self._lock.release()

    def _info(self) -> str:
        spec: dict[str, Any] = {"interactive": False}
        if self._spec.get("provideClusterInfo"):
            names = (
                "server",
                "tls-server-name",
                "insecure-skip-tls-verify",
                "certificate-authority-data",
                "proxy-url",
            )
            spec["cluster"] = {name: self._cluster[name] for name in names if self._cluster.get(name)}
        return json.dumps({"apiVersion": self._api_version, "kind": "ExecCredential", "spec": spec})

    def _run(self, cancel: CancelToken) -> bytes:
        if shutil.which(self.command, path=self._environ.get("PATH")) is None:
            hint = clean_text(str(self._spec.get("installHint") or "")) or "install it or put it in PATH"
            raise CredentialError(f"the credential plugin {self.name!r} was not found; {hint}")
        environ = {**self._environ, "KUBERNETES_EXEC_INFO": self._info()}
        for variable in self._spec.get("env") or ():
            environ[str(variable["name"])] = str(variable.get("value") or "")
        self.runs += 1
        try:
            process = subprocess.Popen(
                [self.command, *map(str, self._spec.get("args") or ())],
                env=environ,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError as e:
            raise CredentialError(
                f"the credential plugin {self.name!r} cannot be run: {e.strerror}"
            ) from None
        stdout, stderr = self._wait(process, cancel)
        if process.returncode != 0:
            said = clean_text(stderr)
            raise CredentialError(
                f"the credential plugin {self.name!r} failed with exit status {process.returncode}"
                + (f": {said}" if said else "")
                + "; run a kubectl command in a terminal to log in again"
            )
        return stdout

    def _wait(self, process: subprocess.Popen[bytes], cancel: CancelToken) -> tuple[bytes, bytes]:
        """What it printed. A child that it leaves behind may keep its output open: only the plugin is waited for."""
        assert process.stdout is not None and process.stderr is not None
        stdout, stderr = bytearray(), bytearray()
        give_up_at = self._clock.monotonic() + self._timeout_s
        with process.stdout, process.stderr, selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, stdout)
            selector.register(process.stderr, selectors.EVENT_READ, stderr)
            while not cancel.cancelled and self._clock.monotonic() < give_up_at:
                has_ended = process.poll() is not None  # asked first: what it printed is in the pipes now
                ready = _read_ready(selector, 0.0 if has_ended else _SLICE_S)
                if has_ended and not ready:
                    return bytes(stdout), bytes(stderr)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if cancel.cancelled:
            raise StopRequested("the request was cancelled while its credential plugin ran")
        raise CredentialError(
            f"the credential plugin {self.name!r} gave nothing within {self._timeout_s:g} s; "
            "if it waits for a login, do that with a kubectl command in a terminal first"
        )

    def _parse(self, stdout: bytes) -> ExecCredential:
        try:
            document = json.loads(stdout)
            status = document["status"]
            kind, version = document["kind"], document["apiVersion"]
            given = {name: status.get(name) for name in ("token", "clientCertificateData", "clientKeyData")}
            expiry = status.get("expirationTimestamp")
            expires_at = datetime.fromisoformat(expiry).timestamp() if expiry else None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError, OSError):
            raise CredentialError(
                f"the credential plugin {self.name!r} did not print an ExecCredential with a status"
            ) from None
        if kind != "ExecCredential" or version != self._api_version:
            raise CredentialError(
                f"the credential plugin {self.name!r} printed {clean_text(str(version), 60)} "
                f"{clean_text(str(kind), 40)} where the kubeconfig asks for {self._api_version} "
                "ExecCredential"
            )
        if bool(given["clientCertificateData"]) != bool(given["clientKeyData"]):
            raise CredentialError(
                f"the credential plugin {self.name!r} gave a certificate without its key, or a key alone"
            )
        if not given["token"] and not given["clientCertificateData"]:
            raise CredentialError(
                f"the credential plugin {self.name!r} gave neither a token nor a client certificate"
            )
        token, certificate, key = (str(value or "") for value in given.values())
        return ExecCredential(token, certificate, key, self._renew_at(expires_at))

    def _renew_at(self, expires_at: float | None) -> float | None:
        """A little before it expires, but never so early that a fresh one would count as stale."""
        if expires_at is None:
            return None
        lifetime_s = max(expires_at - self._clock.wall(), 0.0)
        return expires_at - min(_LARGEST_SKEW_S, lifetime_s / 10)


def _read_ready(selector: selectors.BaseSelector, timeout_s: float) -> bool:
    """Read what the pipes hold; False when there was nothing."""
    ready = selector.select(timeout_s)
    for key, _ in ready:
        part = os.read(key.fd, 65536)
        if not part:
            selector.unregister(key.fileobj)
        elif len(key.data) < _OUTPUT_MAX:
            key.data.extend(part)
    return bool(ready)
