"""What the demo server refuses to store: a small part of the real server's validation, in its words.

Each function gives a list of `Cause`; an empty list means valid. A cause is one entry of a Status' details.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

Item = dict[str, Any]

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DNS_LABEL = re.compile(_LABEL)
_DNS_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_PATH_SEGMENT_KINDS = frozenset({"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})
MAX_DATA = 1024 * 1024

_SAY_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
    "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_SAY_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
    "and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SAY_LABEL_1035 = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_SAY_QUALIFIED = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with "
    "an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation "
    "is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_SAY_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and "
    "must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex "
    "used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


class Cause(NamedTuple):
    """One thing that is wrong: reason and message as in a Status' causes, and the field's path."""

    reason: str
    message: str
    field: str

    def as_dict(self) -> dict[str, str]:
        """The entry for `details.causes`."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


def invalid(field: str, value: object, why: str) -> Cause:
    """The cause for a value that will not do."""
    shown = json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    return Cause("FieldValueInvalid", f"Invalid value: {shown}: {why}", field)


def required(field: str, why: str = "") -> Cause:
    """The cause for a field that is missing."""
    return Cause("FieldValueRequired", "Required value" + (f": {why}" if why else ""), field)


def check_metadata(kind: str, metadata: Item) -> list[Cause]:
    """Name, labels and annotations."""
    causes = _check_name(kind, metadata)
    for key, value in sorted(_mapping(metadata, "labels").items()):
        causes += _check_key("metadata.labels", key)
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            causes.append(invalid("metadata.labels", value, _SAY_VALUE))
        elif len(value) > 63:
            causes.append(invalid("metadata.labels", value, "must be no more than 63 bytes"))
    for key in sorted(_mapping(metadata, "annotations")):
        causes += _check_key("metadata.annotations", key)
    return causes


def _mapping(item: Item, field: str) -> Item:
    value = item.get(field)
    return value if isinstance(value, dict) else {}


def _check_key(field: str, key: str) -> list[Cause]:
    prefix, slash, name = key.rpartition("/")
    if (slash and not _SUBDOMAIN.fullmatch(prefix)) or not _QUALIFIED.fullmatch(name):
        return [invalid(field, key, _SAY_QUALIFIED)]
    return [] if len(name) <= 63 else [invalid(field, key, "name part must be no more than 63 bytes")]


def _check_name(kind: str, metadata: Item) -> list[Cause]:
    name = metadata.get("name")
    if not name:
        return [required("metadata.name", "name or generateName is required")]
    if not isinstance(name, str):
        return [invalid("metadata.name", name, "must be a string")]
    if kind in _PATH_SEGMENT_KINDS:
        return []
    pattern, say, longest = _SUBDOMAIN, _SAY_SUBDOMAIN, 253
    if kind == "Namespace":
        pattern, say, longest = _DNS_LABEL, _SAY_LABEL, 63
    elif kind == "Service":
        pattern, say, longest = _DNS_LABEL_1035, _SAY_LABEL_1035, 63
    causes = [] if pattern.fullmatch(name) else [invalid("metadata.name", name, say)]
    if len(name) > longest:
        causes.append(invalid("metadata.name", name, f"must be no more than {longest} bytes"))
    return causes


def check_content(group: str, kind: str, item: Item, previous: Item | None) -> list[Cause]:
    """What is wrong with spec and data; `previous` is the stored object that would be replaced."""
    causes: list[Cause] = []
    if kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet") and group == "apps":
        causes += _check_workload(item, previous)
    elif kind == "Pod" and group == "":
        causes += _check_pod_spec(_mapping(item, "spec"), "spec")
        causes += _check_pod_update(item, previous)
    elif kind == "Job" and group == "batch":
        template = _mapping(_mapping(item, "spec"), "template")
        causes += _check_pod_spec(_mapping(template, "spec"), "spec.template.spec")
    elif kind == "Service" and group == "":
        spec = _mapping(item, "spec")
        if not spec.get("ports") and spec.get("clusterIP") != "None" and spec.get("type") != "ExternalName":
            causes.append(required("spec.ports"))
    elif kind in ("ConfigMap", "Secret") and group == "":
        size = sum(
            len(str(value)) for field in ("data", "binaryData") for value in _mapping(item, field).values()
        )
        if size > MAX_DATA:
            causes.append(
                Cause("FieldValueTooLong", f"Too long: may not be more than {MAX_DATA} bytes", "[]")
            )
    return causes + _check_finalizers(item, previous)


def _check_finalizers(item: Item, previous: Item | None) -> list[Cause]:
    metadata, old = _mapping(item, "metadata"), _mapping(previous or {}, "metadata")
    if not old.get("deletionTimestamp"):
        return []
    added = [name for name in metadata.get("finalizers") or [] if name not in (old.get("finalizers") or [])]
    if not added:
        return []
    found = ", ".join(f'"{name}"' for name in added)
    return [
        Cause(
            "FieldValueForbidden",
            "Forbidden: no new finalizers can be added if the object is being deleted, "
            f"found new finalizers []string{{{found}}}",
            "metadata.finalizers",
        )
    ]


def _check_workload(item: Item, previous: Item | None) -> list[Cause]:
    spec = _mapping(item, "spec")
    template, selector = _mapping(spec, "template"), spec.get("selector")
    labels = _mapping(_mapping(template, "metadata"), "labels")
    causes: list[Cause] = []
    replicas = spec.get("replicas")
    if isinstance(replicas, int) and replicas < 0:
        causes.append(invalid("spec.replicas", replicas, "must be greater than or equal to 0"))
    if not isinstance(selector, dict) or not selector:
        causes.append(required("spec.selector"))
    elif any(labels.get(key) != value for key, value in _mapping(selector, "matchLabels").items()):
        causes.append(
            invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
        )
    causes += _check_pod_spec(_mapping(template, "spec"), "spec.template.spec")
    if previous is not None and selector != _mapping(previous, "spec").get("selector"):
        causes.append(invalid("spec.selector", selector, "field is immutable"))
    return causes


def _check_pod_spec(spec: Item, path: str) -> list[Cause]:
    containers = spec.get("containers")
    if not isinstance(containers, list) or not containers:
        return [required(f"{path}.containers")]
    causes: list[Cause] = []
    names: set[str] = set()
    for at, container in enumerate(containers):
        place = f"{path}.containers[{at}]"
        container = container if isinstance(container, dict) else {}
        name = container.get("name")
        if not name:
            causes.append(required(f"{place}.name"))
        elif not isinstance(name, str) or not _DNS_LABEL.fullmatch(name):
            causes.append(invalid(f"{place}.name", name, _SAY_LABEL))
        elif name in names:
            causes.append(Cause("FieldValueDuplicate", f'Duplicate value: "{name}"', f"{place}.name"))
        if not container.get("image"):
            causes.append(required(f"{place}.image"))
        names.add(str(name))
    return causes


def _check_pod_update(item: Item, previous: Item | None) -> list[Cause]:
    if previous is None or _frozen(item) == _frozen(previous):
        return []
    return [
        Cause(
            "FieldValueForbidden",
            "Forbidden: pod updates may not change fields other than "
            "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
            "`spec.tolerations` (only additions to existing tolerations),"
            "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
            "spec",
        )
    ]


def _frozen(pod: Item) -> Item:
    """The part of a pod's spec that may not change."""
    spec = {
        key: value
        for key, value in _mapping(pod, "spec").items()
        if key not in ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName")
    }
    for field in ("containers", "initContainers"):
        if isinstance(spec.get(field), list):
            spec[field] = [{key: value for key, value in container.items() if key != "image"}
                           for container in spec[field] if isinstance(container, dict)]
    return spec
