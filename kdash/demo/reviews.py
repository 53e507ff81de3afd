"""Access reviews: what `kubectl auth can-i` and `auth whoami` ask. The demo allows everything to everybody.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from . import status
from .api_call import PROTOBUF, answer
from .http_types import Request, Response

Item = dict[str, Any]
_EVERYTHING = {
    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "incomplete": False,
}
_USER = {"username": "demo", "groups": ["system:authenticated"]}


def _allowed(spec: Item) -> Item:
    return {"spec": spec, "status": {"allowed": True, "reason": "the kdash demo allows everything"}}


def _rules(spec: Item) -> Item:
    return {"spec": {}, "status": _EVERYTHING}


def _who(spec: Item) -> Item:
    return {"status": {"userInfo": _USER}}


_REVIEWS: dict[tuple[str, str], tuple[str, Callable[[Item], Item]]] = {
    ("authorization.k8s.io", "selfsubjectaccessreviews"): ("SelfSubjectAccessReview", _allowed),
    ("authorization.k8s.io", "selfsubjectrulesreviews"): ("SelfSubjectRulesReview", _rules),
    ("authorization.k8s.io", "subjectaccessreviews"): ("SubjectAccessReview", _allowed),
    ("authentication.k8s.io", "selfsubjectreviews"): ("SelfSubjectReview", _who),
}


def review(request: Request, group: str, plural: str) -> Response | None:
    """The answer to a review; None if the resource is none."""
    found = _REVIEWS.get((group, plural))
    if found is None:
        return None
    if request.method != "POST":
        raise status.method_not_allowed()
    kind, fill = found
    spec: Any = {}
    if request.content_type != PROTOBUF:
        try:
            body = json.loads(request.body or b"{}")
        except ValueError:
            raise status.bad_request(f"the body is no {kind}") from None
        spec = body.get("spec") if isinstance(body, dict) else {}
    return answer({"kind": kind, "apiVersion": f"{group}/v1", "metadata": {}, **fill(spec or {})}, 201)
