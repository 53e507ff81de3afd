"""Which cluster, user and namespace kubectl would use: its rules for finding and merging kubeconfig files.

Contract: reads files and the environment, nothing else; never writes, never runs a plugin, never imports the
kubernetes package. Ports client-go's `ClientConfigLoadingRules` and `DirectClientConfig` as far as reading
goes:
- an explicit path stands alone and must exist; else the files of KUBECONFIG (missing and empty ones are
  skipped); else `~/.kube/config`;
- of each named cluster, user and context the first file's entry counts as a whole; so does the first
  current-context;
- relative paths inside a file are relative to that file;
- with no kubeconfig at all, the pod's service account is used if there is one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdash.cluster.errors import ConfigError, NoClusterConfig, clean_text, nearest
from kdash.cluster.kubeconfig_fields import wrong_field
from kdash.informer.limits import LARGEST_KUBECONFIG

__all__ = ["KubeConfig", "Selection", "in_cluster", "load", "select"]

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PATHS = {
    "clusters": ("certificate-authority",),
    "users": ("client-certificate", "client-key", "tokenFile"),
    "contexts": (),
}


@dataclass
class KubeConfig:
    """The merged files. Each entry is the inner mapping (`cluster:`, `user:`, `context:`), paths made
    absolute.
    """

    files: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    current_context: str = ""
    clusters: dict[str, dict[str, Any]] = field(default_factory=dict)
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    contexts: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not (self.clusters or self.users or self.contexts or self.current_context)

    @property
    def where(self) -> str:
        """For an error's sentence."""
        return ":".join(self.files) or "the kubeconfig"


@dataclass(frozen=True)
class Selection:
    """One cluster with the user and the namespace to use there."""

    context: str
    namespace: str
    server: str
    cluster: dict[str, Any]
    user: dict[str, Any]
    user_name: str = ""
    where: str = ""


def load(explicit: str | None, environ: Mapping[str, str], home: Path) -> KubeConfig:
    """Find and merge the files. Raises `ConfigError` for one that is there but cannot be used."""
    config = KubeConfig()
    for path in _paths(explicit, environ, home):
        if explicit is None and not path.exists():
            config.missing.append(str(path))
            continue
        document = _read(path)
        if document:
            _merge(config, document, path)
        config.files.append(str(path))
    return config


def _paths(explicit: str | None, environ: Mapping[str, str], home: Path) -> list[Path]:
    if explicit is not None:
        return [Path(explicit)]
    listed = [Path(part) for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return list(dict.fromkeys(listed)) or [home / ".kube" / "config"]


def _read(path: Path) -> dict[str, Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_KUBECONFIG + 1)
        if len(text) > LARGEST_KUBECONFIG:
            raise ConfigError(f"the file {path} is no kubeconfig: it holds more than {LARGEST_KUBECONFIG >> 20} MiB")
        document = yaml.load(text.decode("utf-8"), loader)  # a safe loader
    except FileNotFoundError:
        raise ConfigError(f"the kubeconfig {path} does not exist; check --kubeconfig") from None
    except OSError as e:
        raise ConfigError(f"the kubeconfig {path} cannot be read: {e.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"the kubeconfig {path} is not UTF-8 text") from None
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        at = f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        problem = clean_text(getattr(e, "problem", None) or "syntax error", 120)
        raise ConfigError(f"the kubeconfig {path} is not valid YAML{at}: {problem}") from None
    except RecursionError:
        raise ConfigError(f"the kubeconfig {path} is not valid: it is nested too deeply") from None
    except ValueError:  # a date or a number that there cannot be
        raise ConfigError(f"the kubeconfig {path} is not valid: it holds a date or number that cannot be") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigError(f"the kubeconfig {path} is no kubeconfig: it holds no mapping")
    kind = document.get("kind") or "Config"
    if kind != "Config":
        raise ConfigError(
            f"the file {path} is no kubeconfig: its kind is {clean_text(str(kind), 40)!r}, not 'Config'"
        )
    wrong = wrong_field(document)
    if wrong:
        raise ConfigError(f"the kubeconfig {path} is malformed: {wrong}")
    return document


def _merge(config: KubeConfig, document: dict[str, Any], path: Path) -> None:
    config.current_context = config.current_context or str(document.get("current-context") or "")
    for section, paths in _PATHS.items():
        merged: dict[str, dict[str, Any]] = getattr(config, section)
        for name, entry in _entries(document, section, path).items():
            if name in merged:
                continue
            for key in paths:
                if entry.get(key):
                    entry[key] = str(_base(path) / str(entry[key]))
            command = str((entry.get("exec") or {}).get("command") or "") if section == "users" else ""
            if os.sep in command:
                entry["exec"] = {**entry["exec"], "command": str(_base(path) / command)}
            merged[name] = entry


def _base(path: Path) -> Path:
    return Path(os.path.abspath(path)).parent


def _entries(document: dict[str, Any], section: str, path: Path) -> dict[str, dict[str, Any]]:
    listed = document.get(section) or []
    singular = section[:-1]
    entries: dict[str, dict[str, Any]] = {}
    for number, item in enumerate(listed, 1):
        if not item.get("name"):
            raise ConfigError(f"the kubeconfig {path} is malformed: entry {number} of {section} has no name")
        name = str(item["name"])
        if name in entries:
            raise ConfigError(f"the kubeconfig {path} names the {singular} {clean_text(name, 80)!r} twice")
        entries[name] = dict(item.get(singular) or {})
    return entries


def select(config: KubeConfig, context: str | None) -> Selection:
    """The context to use, with its cluster and user. Raises `ConfigError`."""
    name = context or config.current_context
    if not name:
        there = ", ".join(sorted(config.contexts)[:5])
        choose = f"choose one with --context: {clean_text(there)}" if there else "it holds no contexts either"
        raise ConfigError(f"{config.where} sets no current-context; {choose}")
    entry = config.contexts.get(name)
    if entry is None:
        raise ConfigError(_not_there("context", name, config.contexts, config.where))
    cluster_name, user_name = str(entry.get("cluster") or ""), str(entry.get("user") or "")
    cluster = config.clusters.get(cluster_name)
    if cluster is None:
        raise ConfigError(_not_there("cluster", cluster_name, config.clusters, config.where, of=name))
    user = config.users.get(user_name) if user_name else {}
    if user is None:
        raise ConfigError(_not_there("user", user_name, config.users, config.where, of=name))
    server = str(cluster.get("server") or "")
    if not re.match(r"https?://[^/\s]", server):
        raise ConfigError(
            f"the cluster {clean_text(cluster_name, 80)!r} in {config.where} has no usable server address; "
            "it must begin with https:// or http://"
        )
    _check_files(cluster, user, config.where)
    namespace = str(entry.get("namespace") or "default")
    return Selection(name, namespace, server.rstrip("/"), cluster, user, user_name, config.where)


def _not_there(what: str, name: str, there: Mapping[str, object], where: str, of: str = "") -> str:
    near = nearest(name, there, 2)
    asked = f" that the context {clean_text(of, 80)!r} names" if of else ""
    if near:
        hint = f"; did you mean {' or '.join(repr(clean_text(n, 80)) for n in near)}?"
    elif there:
        hint = f"; there are: {clean_text(', '.join(sorted(there)[:8]))}"
    else:
        hint = f"; there are no {what}s at all"
    return f"the {what} {clean_text(name, 80)!r}{asked} does not exist in {where}{hint}"


def _check_files(cluster: dict[str, Any], user: dict[str, Any], where: str) -> None:
    for entry, keys in ((cluster, _PATHS["clusters"]), (user, _PATHS["users"])):
        for key in keys:
            path = entry.get(key)
            if path and not entry.get(f"{key}-data") and not os.path.isfile(path):
                raise ConfigError(f"the {key} file {path}, named in {where}, does not exist")


def in_cluster(environ: Mapping[str, str], account: Path = SERVICE_ACCOUNT) -> Selection | None:
    """The pod's own service account, or None outside of a pod."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port or not (account / "token").is_file():
        return None
    host = f"[{host}]" if ":" in host else host
    cluster: dict[str, Any] = {"server": f"https://{host}:{port}"}
    if (account / "ca.crt").is_file():
        cluster["certificate-authority"] = str(account / "ca.crt")
    namespace_file = account / "namespace"
    namespace = namespace_file.read_text("utf-8").strip() if namespace_file.is_file() else ""
    return Selection(
        "in-cluster",
        namespace or "default",
        cluster["server"],
        cluster,
        {"tokenFile": str(account / "token")},
        "service account",
        str(account),
    )


def choose(
    explicit: str | None,
    context: str | None,
    environ: Mapping[str, str],
    home: Path,
    account: Path = SERVICE_ACCOUNT,
) -> Selection:
    """What kubectl would use. Raises `ConfigError`, `NoClusterConfig` when nothing names a cluster."""
    config = load(explicit, environ, home)
    if not config.is_empty or explicit is not None or context:
        return select(config, context)
    pod = in_cluster(environ, account)
    if pod is not None:
        return pod
    looked = [f"{path} does not exist" for path in config.missing] + [
        f"{path} is empty" for path in config.files
    ]
    raise NoClusterConfig(
        f"no cluster is configured ({'; '.join(looked)}); set KUBECONFIG or pass --kubeconfig"
    )
