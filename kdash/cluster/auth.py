"""Who kdash is to a server: tokens, token files, passwords, exec plugins, client certificates, impersonation.

Contract: `KubeCredentials` is asked for headers before each request, so a refreshed token is used from the
next request on and a running watch is never cut. Whatever cannot be had raises `CredentialError`; kdash
sends no anonymous request for a user that has credentials configured. The kubernetes package does TLS,
proxies and the old auth-providers, on a configuration of its own, and writes nothing back; it is imported with
this module, by the thread that connects: never by many reflectors at once. Thread-safe.

Precedence as in client-go: tokenFile, token, basic, then exec or auth-provider; client certificates besides.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import urllib3
from kubernetes import config as kube_config
from kubernetes.client import ApiClient, Configuration

from kdash.cluster.client_certificate import authority_of, context_with, pair_of
from kdash.cluster.connection import POOL_SIZE, keep_alive_options, make_cancellable
from kdash.cluster.errors import ConfigError, CredentialError, clean_text
from kdash.cluster.exec_plugin import ExecCredential, ExecPlugin
from kdash.cluster.kubeconfig import Selection
from kdash.informer.clock import Clock
from kdash.informer.list_watch import CancelToken

__all__ = ["Impersonation", "KubeCredentials", "TokenFile"]

_TOKEN_FILE_KEPT_S = 60.0


@dataclass(frozen=True)
class Impersonation:
    """kubectl's --as and --as-group, or a kubeconfig user's as, as-uid, as-groups and as-user-extra."""

    user: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, str], ...] = ()

    def headers(self) -> list[tuple[str, str]]:
        if not self.user:
            if self.uid or self.groups or self.extra:
                raise ConfigError("a group is impersonated without a user; add --as USER to --as-group")
            return []
        headers = [("Impersonate-User", self.user)]
        headers += [("Impersonate-Uid", self.uid)] if self.uid else []
        headers += [("Impersonate-Group", group) for group in self.groups]
        headers += [("Impersonate-Extra-" + quote(key.lower(), safe=""), value) for key, value in self.extra]
        for _, value in headers:
            _check_header(value, "the name to impersonate", ConfigError)
        return headers

    @classmethod
    def of_user(cls, user: dict[str, Any]) -> Impersonation:
        extra = user.get("as-user-extra") or {}
        return cls(
            str(user.get("as") or ""),
            str(user.get("as-uid") or ""),
            tuple(map(str, user.get("as-groups") or ())),
            tuple((str(key), str(value)) for key, values in extra.items() for value in values),
        )


def _check_header(value: str, what: str, error: Callable[[str], Exception]) -> str:
    if not value.isprintable() or not value.isascii():
        raise error(f"{what} holds characters that no HTTP header can carry")
    return value


class _Source(Protocol):
    """Where the Authorization header comes from."""

    def authorization(self, cancel: CancelToken) -> str: ...

    def rejected(self) -> None: ...


class _Fixed:
    """A token or a password from the kubeconfig itself."""

    def __init__(self, value: str) -> None:
        self._value = value

    def authorization(self, cancel: CancelToken) -> str:
        return self._value

    def rejected(self) -> None:
        return None


class TokenFile:
    """A token in a file that somebody else renews: read again once a minute, the last good one kept
    meanwhile.
    """

    def __init__(self, path: str, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._lock = threading.Lock()  # guards _token and _read_at
        self._token = ""
        self._read_at = float("-inf")

    def authorization(self, cancel: CancelToken) -> str:
        with self._lock:
            now = self._clock.monotonic()
            if now - self._read_at >= _TOKEN_FILE_KEPT_S or not self._token:
                self._read(now)
            return f"Bearer {self._token}"

    def _read(self, now: float) -> None:
        try:
            token = Path(self._path).read_text("utf-8").strip()
            problem = "" if token else "is empty"
        except (OSError, UnicodeDecodeError) as e:
            token, problem = "", f"cannot be read: {getattr(e, 'strerror', None) or 'it is no text'}"
        if token:
            _check_header(token, f"the token file {self._path}", CredentialError)
            self._token = token
        elif not self._token:
            raise CredentialError(f"the token file {self._path} {problem}")
        self._read_at = now

    def rejected(self) -> None:
        self._read_at = float("-inf")


class _Exec:
    """The token of an exec plugin; its certificate, if it gives one, goes into the pool."""

    def __init__(self, plugin: ExecPlugin, use_certificate: Callable[[ExecCredential], None]) -> None:
        self._plugin, self._use_certificate = plugin, use_certificate

    def authorization(self, cancel: CancelToken) -> str:
        credential = self._plugin.credential(cancel)
        self._use_certificate(credential)
        if not credential.token:
            return ""
        return "Bearer " + _check_header(credential.token, "the credential plugin's token", CredentialError)

    def rejected(self) -> None:
        self._plugin.rejected()


class _Provider:
    """An auth-provider (oidc, gcp), refreshed by the kubernetes package."""

    def __init__(self, name: str, configuration: Callable[[], Any]) -> None:
        self._name, self._configuration = clean_text(name, 40), configuration
        self._lock = threading.Lock()  # one refresh at a time

    def authorization(self, cancel: CancelToken) -> str:
        with self._lock, _silent_root_logger():
            try:
                settings = self._configuration().auth_settings()
            except CredentialError:
                raise
            except Exception as e:
                raise CredentialError(
                    f"the auth-provider {self._name!r} gave no token: {clean_text(type(e).__name__)}; "
                    "log in with kubectl, or use an exec plugin"
                ) from None
        value = str((settings.get("BearerToken") or {}).get("value") or "")
        if not value:
            raise CredentialError(
                f"the auth-provider {self._name!r} gave no token; log in with kubectl again"
            )
        return value

    def rejected(self) -> None:
        return None


@contextlib.contextmanager
def _silent_root_logger() -> Iterator[None]:
    """The kubernetes package reports failures with `logging.error`, which would set up a handler on
    stderr.
    """
    silence = logging.NullHandler()
    logging.getLogger().addHandler(silence)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(silence)


class KubeCredentials:
    """`transport.Credentials` for a selected context."""

    def __init__(
        self,
        selection: Selection,
        impersonation: Impersonation,
        clock: Clock,
        plugin: ExecPlugin | None = None,
    ) -> None:
        own = Impersonation.of_user(selection.user)
        self._impersonation = (impersonation if impersonation != Impersonation() else own).headers()
        self._selection = selection
        self._lock = threading.RLock()  # guards _configuration, _pool and _certificate
        self._configuration: Any = None
        self._pool: urllib3.PoolManager | None = None
        self._certificate: tuple[str, str] = ("", "")
        self._source = self._choose(selection.user, clock, plugin)

    def _choose(self, user: dict[str, Any], clock: Clock, plugin: ExecPlugin | None) -> _Source | None:
        if user.get("exec") and user.get("auth-provider"):
            raise ConfigError(
                f"the user in {self._selection.where} has both exec and auth-provider; remove one"
            )
        if user.get("tokenFile"):
            return TokenFile(str(user["tokenFile"]), clock)
        if user.get("token"):
            return _Fixed(
                "Bearer " + _check_header(str(user["token"]).strip(), "the user's token", ConfigError)
            )
        if user.get("username") or user.get("password"):
            pair = f"{user.get('username') or ''}:{user.get('password') or ''}"
            return _Fixed("Basic " + base64.b64encode(pair.encode()).decode())
        if user.get("exec"):
            plugin = plugin or ExecPlugin(user["exec"], self._selection.cluster, clock)
            return _Exec(plugin, self._use_certificate)
        if user.get("auth-provider"):
            return _Provider(str(user["auth-provider"].get("name") or ""), self._kube_configuration)
        return None

    def headers(self, cancel: CancelToken) -> Sequence[tuple[str, str]]:
        value = self._source.authorization(cancel) if self._source is not None else ""
        return [("Authorization", value), *self._impersonation] if value else self._impersonation

    def rejected(self) -> None:
        if self._source is not None:
            self._source.rejected()

    def pool(self) -> urllib3.PoolManager:
        with self._lock:
            if self._pool is None:
                self._pool = self._new_pool()
            return self._pool

    def _use_certificate(self, credential: ExecCredential) -> None:
        """Start a new pool when the certificate changed; connections of the old one live on."""
        with self._lock:
            if (credential.certificate, credential.key) != self._certificate:
                self._certificate = (credential.certificate, credential.key)
                self._pool = None

    def _kube_configuration(self) -> Any:
        """The kubernetes package's view of the selection; a private one, not its global default."""
        with self._lock:
            if self._configuration is None:
                self._configuration = _load_configuration(self._selection)
            return self._configuration

    def _new_pool(self) -> urllib3.PoolManager:
        configuration = self._kube_configuration()
        if not configuration.verify_ssl:
            warnings.filterwarnings("ignore", category=urllib3.exceptions.InsecureRequestWarning)
        manager = make_cancellable(ApiClient(configuration).rest_client.pool_manager)
        options, where = manager.connection_pool_kw, self._selection.where
        authority = authority_of(self._selection.cluster, where)
        if authority:
            options["ca_cert_data"] = authority
        pair = pair_of(self._selection.user, where)
        if self._certificate[0]:
            pair = self._certificate[0].encode(), self._certificate[1].encode()
        if pair is not None:
            own_authority = bool(authority or options.get("ca_certs"))
            options["ssl_context"] = context_with(*pair, own_authority=own_authority)
        return manager


def _load_configuration(selection: Selection) -> Any:
    ours = (
        "exec",
        "token",
        "tokenFile",
        "username",
        "password",
        "as",
        "as-groups",
        "as-uid",
        "as-user-extra",
    )  # and whatever is not a file: it would be written into one
    user = {k: value for k, value in selection.user.items() if k not in ours and not k.startswith("client-")}
    files = ("client-certificate", "client-key")
    if not any(selection.user.get(f"{name}-data") for name in files):
        user |= {name: selection.user[name] for name in files if selection.user.get(name)}
    cluster = {k: value for k, value in selection.cluster.items() if k != "certificate-authority-data"}
    if selection.cluster.get("certificate-authority-data"):
        cluster.pop("certificate-authority", None)
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "kdash",
        "contexts": [{"name": "kdash", "context": {"cluster": "kdash", "user": "kdash"}}],
        "clusters": [{"name": "kdash", "cluster": cluster}],
        "users": [{"name": "kdash", "user": user}],
    }
    configuration = type.__call__(Configuration)
    host = urlsplit(selection.server).hostname or ""
    try:
        with _silent_root_logger():
            load: Callable[..., None] = kube_config.load_kube_config_from_dict
            load(document, client_configuration=configuration, persist_config=False)
    except kube_config.ConfigException as e:
        raise CredentialError(f"{selection.where} cannot be used: {clean_text(str(e))}") from None
    except (ValueError, OSError) as e:  # undecodable base64, temporary files
        raise CredentialError(
            f"the certificate data of the context in {selection.where} cannot be used "
            f"({clean_text(type(e).__name__)})"
        ) from None
    if not selection.cluster.get("proxy-url") and (host in ("localhost", "::1") or host.startswith("127.")):
        configuration.proxy = None  # as Go does: a proxy of the environment is not for this machine
    configuration.socket_options = keep_alive_options()
    configuration.connection_pool_maxsize = POOL_SIZE
    configuration.retries = False
    return configuration
