"""Who may do what: bearer tokens, and users whose permissions end somewhere (wire facts 92 to 95).

Contract: pure. Without tokens everybody may do everything. With them an unknown token is 401 and none at all is
`system:anonymous`, who may read the version and the health and nothing else. A user without rules may do everything.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from kdash.demo import status
from kdash.demo.http_types import Request, Response, json_bytes

__all__ = ["ANONYMOUS", "Access", "Attempt", "Rule", "User"]

_OPEN_PATHS = frozenset({"/version", "/healthz", "/livez", "/readyz"})
_REVIEWS = frozenset({"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"})


@dataclass(frozen=True, slots=True)
class Rule:
    """Permission for verbs (list, watch, get, create, update, patch, delete, deletecollection) on resources
    (`pods`, `deployments`), in the named namespaces or, with none, everywhere. `*` means all."""

    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    namespaces: tuple[str, ...] = ()

    def allows(self, verb: str, resource: str, namespace: str) -> bool:
        return (
            ("*" in self.verbs or verb in self.verbs)
            and ("*" in self.resources or resource in self.resources)
            and (not self.namespaces or namespace in self.namespaces)
        )


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who has a token. `rules` None: may do everything."""

    name: str
    rules: tuple[Rule, ...] | None = None
    groups: tuple[str, ...] = ("system:authenticated",)
    uid: str = ""

    def may(self, verb: str, resource: str, namespace: str) -> bool:
        return self.rules is None or any(rule.allows(verb, resource, namespace) for rule in self.rules)


ANONYMOUS = User("system:anonymous", (), ("system:unauthenticated",))
EVERYBODY = User("demo")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a request tries to do to a resource; `verb` is the API's: list, get, create …"""

    verb: str
    resource: str
    group: str
    namespace: str
    name: str


class Access:
    """The tokens of one server."""

    def __init__(self, users: Mapping[str, User]) -> None:
        """`users`: token → user; empty: nobody is asked for a token."""
        self._users = dict(users)

    def user(self, request: Request) -> User:
        """Who sends this. Raises `ApiError` 401 for an unknown token."""
        if not self._users:
            return EVERYBODY
        given = request.headers.get("authorization", "")
        if not given:
            return ANONYMOUS
        scheme, _, token = given.partition(" ")
        found = self._users.get(token.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            raise status.ApiError(status.failure(401, "Unauthorized", "Unauthorized"))
        return found

    def check(self, request: Request, attempt: Attempt | None) -> User:
        """Let a request through, or raise `ApiError` 401 or 403. `attempt` None: the path is no resource."""
        user = self.user(request)
        if user.rules is None or request.path in _OPEN_PATHS:
            return user
        if attempt is None:
            if user is ANONYMOUS:
                raise status.forbidden_path(request.method.lower(), request.path, user.name)
            return user
        if attempt.resource in _REVIEWS and user is not ANONYMOUS:
            return user
        if not user.may(attempt.verb, attempt.resource, attempt.namespace):
            raise status.forbidden(attempt.verb, attempt.resource, attempt.group, attempt.namespace, user.name,
                                   attempt.name)  # fmt: skip
        return user


def answer_review(user: User, response: Response, now: float) -> Response:
    """A review that allows everything, corrected for a user whose permissions end somewhere."""
    body: dict[str, Any] = msgspec.json.decode(response.body)
    kind = body.get("kind")
    if kind == "SelfSubjectReview":
        info: dict[str, Any] = {"username": user.name, "groups": list(user.groups)}
        if user.uid:
            info = {"username": user.name, "uid": user.uid, "groups": list(user.groups)}
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
        body |= {"metadata": {"creationTimestamp": created}, "status": {"userInfo": info}}
    elif user.rules is None:
        return response
    elif kind == "SelfSubjectAccessReview":
        spec = body.get("spec")
        asked = spec.get("resourceAttributes") if isinstance(spec, dict) else None
        asked = asked if isinstance(asked, dict) else {}
        verb, resource, namespace = (str(asked.get(name, "")) for name in ("verb", "resource", "namespace"))
        body["status"] = {"allowed": user.may(verb, resource, namespace)}
    elif kind == "SelfSubjectRulesReview":
        rules = [{"verbs": list(rule.verbs), "apiGroups": ["*"], "resources": list(rule.resources)}
                 for rule in user.rules]  # fmt: skip
        body["status"] = {"resourceRules": rules, "nonResourceRules": [], "incomplete": False}
    response.body = json_bytes(body) + b"\n"
    return response
