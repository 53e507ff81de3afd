"""A client certificate with its key, handed to TLS without lying in a folder where another could read it.

Contract: `ssl` takes the key from a path only. On Linux the path is that of a file without a name, in memory; elsewhere
that of a file in a private folder, unlinked as soon as the context has read it. Either way nothing is left when the
process is killed later. No error's sentence holds a part of the pair.
"""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import urllib3

from kdash.cluster.errors import CredentialError, clean_text

__all__ = ["authority_of", "context_with", "pair_of"]


def _decoded(entry: Mapping[str, Any], field: str, where: str) -> bytes:
    """The bytes of a kubeconfig's `…-data` field, b"" when it is not set. Raises `CredentialError`."""
    try:
        return base64.b64decode(str(entry.get(field) or ""), validate=False)
    except (binascii.Error, ValueError):
        raise CredentialError(f"{field} in {where} cannot be used: it is not base64") from None


def pair_of(user: Mapping[str, Any], where: str) -> tuple[bytes, bytes] | None:
    """Certificate and key of a user whose key or certificate is written into the kubeconfig; None when both are files
    of their own (which TLS reads anew for each connection), or when there are none. Raises `CredentialError`.
    """
    parts = [(_decoded(user, f"{name}-data", where), name) for name in ("client-certificate", "client-key")]
    if not any(data for data, _ in parts):
        return None
    certificate, key = (data or _read(user, name, where) for data, name in parts)
    return certificate, key


def authority_of(cluster: Mapping[str, Any], where: str) -> str:
    """The PEM text of certificate-authority-data, "" when it is not set. Raises `CredentialError`."""
    try:
        return _decoded(cluster, "certificate-authority-data", where).decode("ascii")
    except UnicodeDecodeError:
        raise CredentialError(f"certificate-authority-data in {where} cannot be used: it is not PEM text") from None


def _read(user: Mapping[str, Any], name: str, where: str) -> bytes:
    path = user.get(name)
    if not path:
        raise CredentialError(f"the user in {where} has a client certificate without its key, or a key alone")
    try:
        return Path(str(path)).read_bytes()
    except OSError as e:
        raise CredentialError(f"the {name} file {clean_text(str(path))} cannot be read: {e.strerror}") from None


def context_with(certificate: bytes, key: bytes, *, own_authority: bool) -> ssl.SSLContext:
    """A TLS context that holds the pair. Without `own_authority`, the kubeconfig's, it trusts what the system does.

    Raises `CredentialError`.
    """
    context = urllib3.util.ssl_.create_urllib3_context()
    if not own_authority:
        context.load_default_certs()
    pair = b"%b\n%b\n" % (certificate.strip(), key.strip())
    try:
        if not _load_from_memory(context, pair):
            _load_from_private_folder(context, pair)
    except (ssl.SSLError, OSError, ValueError):
        raise CredentialError("the client certificate and its key cannot be used together") from None
    return context


def _load_from_memory(context: ssl.SSLContext, pair: bytes) -> bool:
    """False where the system has no such files."""
    if not hasattr(os, "memfd_create"):
        return False
    try:
        descriptor = os.memfd_create("kdash")
    except OSError:
        return False
    with open(descriptor, "wb") as file:
        path = f"/proc/self/fd/{descriptor}"
        if not os.path.exists(path):
            return False
        file.write(pair)
        file.flush()
        _load(context, path)
    return True


def _load_from_private_folder(context: ssl.SSLContext, pair: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="kdash-") as directory:
        path = os.path.join(directory, "pair.pem")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pair)
        _load(context, path)


def _load(context: ssl.SSLContext, path: str) -> None:
    context.load_cert_chain(path, password=b"")  # with a password at hand, an encrypted key fails; it never asks
