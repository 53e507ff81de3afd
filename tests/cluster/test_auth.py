"""Credentials on the wire: every kind, refreshed between requests, and never anonymous by mistake."""

import base64
import json
import os
import re
import ssl
import stat
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from kdash.cluster import ConfigError, CredentialError, connect
from kdash.cluster.errors import TLSError
from kdash.informer.clock import VirtualClock
from kdash.informer.errors import ApiStatusError
from kdash.informer.list_watch import ListOptions
from tests.cluster.conftest import CONFIG_MAPS, answers, config_map, line, list_body

TLS = Path(__file__).parent / "tls"
V1 = "client.authentication.k8s.io/v1"


@pytest.fixture
def connected(tmp_path, tap, monkeypatch):
    """Connect through a kubeconfig with this user and this cluster."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # not for this machine

    def connect_as(server, user, cluster=None, **options):
        document = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server.url, **(cluster or {})}}],
            "users": [{"name": "u", "user": user}],
        }
        (tmp_path / "config").write_text(json.dumps(document))
        return connect(tmp_path / "config", tap=tap, **options)

    return connect_as


def list_once(client, cancel):
    return client.lister_watcher(CONFIG_MAPS).list(ListOptions(), cancel)


def sent(server, name="authorization"):
    return [exchange.headers.get(name) for exchange in server.exchanges]


def script_plugin(path, body):
    path.write_text(f"#!{sys.executable}\nimport json, os\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"apiVersion": V1, "command": str(path)}


def credential(**status):
    return json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": status})


@pytest.mark.parametrize(
    ("user", "header"),
    [
        ({}, None),
        ({"token": "abc"}, "Bearer abc"),
        ({"username": "u", "password": "p"}, "Basic " + base64.b64encode(b"u:p").decode()),
        ({"token": "abc", "username": "u", "password": "p"}, "Bearer abc"),
    ],
)
def test_fixed_credentials(serve, connected, cancel, user, header):
    server = serve(answers())
    list_once(connected(server, user), cancel)
    assert sent(server) == [header]


def test_token_file_outranks_the_token_and_is_read_again_each_minute(serve, connected, cancel, tmp_path):
    clock, path, server = VirtualClock(), tmp_path / "token", serve(answers())
    path.write_text("first\n")
    client = connected(server, {"token": "static", "tokenFile": str(path)}, clock=clock)
    list_once(client, cancel)
    path.write_text("second\n")
    list_once(client, cancel)
    clock.advance(61)
    list_once(client, cancel)
    path.unlink()  # the last good token stays in use
    clock.advance(61)
    list_once(client, cancel)
    assert sent(server) == ["Bearer first", "Bearer first", "Bearer second", "Bearer second"]


def test_token_file_that_is_empty_sends_nothing(serve, connected, cancel, tmp_path):
    (tmp_path / "token").write_text("\n")
    server = serve(answers())
    with pytest.raises(CredentialError, match="is empty"):
        list_once(connected(server, {"tokenFile": str(tmp_path / "token")}), cancel)
    assert server.exchanges == []


def test_users_32_expiring_exec_token_is_renewed_on_the_next_request_and_the_watch_goes_on(
    serve, connected, cancel, tmp_path
):
    clock = VirtualClock()
    count = tmp_path / "count"
    body = f"""
n = int(open({str(count)!r}).read()) + 1 if os.path.exists({str(count)!r}) else 1
open({str(count)!r}, 'w').write(str(n))
from datetime import datetime, timezone
expiry = datetime.fromtimestamp({clock.wall()} + 300 * n, timezone.utc).isoformat()
status = dict(token=f't{{n}}', expirationTimestamp=expiry)
print(json.dumps(dict(apiVersion={V1!r}, kind='ExecCredential', status=status)))
"""
    more = threading.Event()

    def watch(exchange):
        exchange.start_chunked()
        exchange.chunk(line("ADDED", config_map("a", "1")))
        more.wait(20)
        exchange.chunk(line("ADDED", config_map("b", "2")))
        exchange.last_chunk()

    server = serve(watch, answers())
    client = connected(server, {"exec": script_plugin(tmp_path / "plugin", body)}, clock=clock)
    stream = client.lister_watcher(CONFIG_MAPS).watch(ListOptions(), cancel)
    assert stream.next_batch()[0].object.name == "a"
    clock.advance(299)
    list_once(client, cancel)
    more.set()
    assert stream.next_batch()[0].object.name == "b"
    assert sent(server) == ["Bearer t1", "Bearer t2"]


def test_users_32_rejected_token_is_renewed_for_the_next_request(serve, connected, cancel, tmp_path):
    body = (
        f"log = open({str(tmp_path / 'log')!r}, 'a+')\n"
        "log.write('x'); log.flush(); log.seek(0); n = len(log.read())\n"
        f"print(json.dumps(dict(apiVersion={V1!r}, kind='ExecCredential', status=dict(token=f't{{n}}'))))"
    )
    server = serve(answers("no", 401, content_type="text/plain"), answers())
    client = connected(server, {"exec": script_plugin(tmp_path / "plugin", body)})
    with pytest.raises(ApiStatusError) as caught:
        list_once(client, cancel)
    assert (caught.value.code, caught.value.reason) == (401, "Unauthorized")
    list_once(client, cancel)
    assert sent(server) == ["Bearer t1", "Bearer t2"]


def test_failed_plugin_sends_no_anonymous_request(serve, connected, cancel, tmp_path, capfd):
    server = serve(answers())
    user = {"exec": script_plugin(tmp_path / "plugin", "import sys; sys.exit('session expired')")}
    with pytest.raises(CredentialError, match="session expired"):
        list_once(connected(server, user), cancel)
    assert server.exchanges == []
    assert capfd.readouterr() == ("", "")


def test_failed_auth_provider_sends_no_anonymous_request(serve, connected, cancel, capfd):
    server = serve(answers())
    for provider in ({"name": "oidc", "config": {"id-token": "no.jwt"}}, {"name": "azure"}, {"name": "gcp"}):
        with pytest.raises(CredentialError, match="auth-provider"):
            list_once(connected(server, {"auth-provider": provider}), cancel)
    assert server.exchanges == []
    assert capfd.readouterr() == ("", "")


def test_oidc_token_that_is_valid_is_used(serve, connected, cancel):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    token = f"{part({'alg': 'none'})}.{part({'exp': 4102444800, 'pad': 'xx'})}.{part({'s': 1})}"
    assert not re.search("[=+/]", token)
    server = serve(answers())
    list_once(connected(server, {"auth-provider": {"name": "oidc", "config": {"id-token": token}}}), cancel)
    assert sent(server) == [f"Bearer {token}"]


def test_exec_and_auth_provider_together_are_refused(serve, connected):
    with pytest.raises(ConfigError, match="both exec and auth-provider"):
        connected(
            serve(answers()), {"exec": {"command": "x", "apiVersion": V1}, "auth-provider": {"name": "oidc"}}
        )


@pytest.mark.parametrize("token", ["abc\r\nX-Evil: 1", "snow☃"])
def test_token_that_no_header_can_carry_is_refused(serve, connected, token):
    with pytest.raises(ConfigError, match="no HTTP header can carry") as caught:
        connected(serve(answers()), {"token": token})
    assert "abc" not in str(caught.value)


def test_impersonation_flags_become_headers(serve, connected, cancel):
    server = serve(answers())
    list_once(
        connected(
            server, {"token": "t", "as": "config-user"}, impersonate="jane", impersonate_groups=["dev", "ops"]
        ),
        cancel,
    )
    names = [(k, v) for k, v in server.exchanges[0].header_lines if k.startswith("Impersonate")]
    assert names == [("Impersonate-User", "jane"), ("Impersonate-Group", "dev"), ("Impersonate-Group", "ops")]
    assert sent(server) == ["Bearer t"]


def test_impersonation_of_the_kubeconfig_is_used(serve, connected, cancel):
    server = serve(answers())
    user = {"as": "jane", "as-uid": "7", "as-groups": ["dev"], "as-user-extra": {"Scopes/x": ["a", "b"]}}
    list_once(connected(server, user), cancel)
    assert [(k, v) for k, v in server.exchanges[0].header_lines if k.startswith("Impersonate")] == [
        ("Impersonate-User", "jane"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "dev"),
        ("Impersonate-Extra-scopes%2Fx", "a"),
        ("Impersonate-Extra-scopes%2Fx", "b"),
    ]


def test_group_without_user_is_refused(serve, connected):
    with pytest.raises(ConfigError, match="add --as USER"):
        connected(serve(answers()), {}, impersonate_groups=["dev"])


def test_no_credential_reaches_the_tap(serve, connected, cancel, tap):
    server = serve(answers())
    list_once(connected(server, {"token": "hunter2"}), cancel)
    assert "hunter2" not in repr(tap.drain())


# -- TLS -------------------------------------------------------------------------------------------------


@pytest.fixture
def tls_server(serve):
    peers = []

    def wrap(sock):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(TLS / "server.pem")
        context.load_verify_locations(TLS / "ca.crt")
        context.verify_mode = ssl.CERT_OPTIONAL
        sock = context.wrap_socket(sock, server_side=True)
        subject = (sock.getpeercert() or {}).get("subject", ())
        peers.append(dict(pair[0] for pair in subject).get("commonName"))
        return sock

    server = serve(answers(list_body("a")), wrap=wrap)
    server.url = server.url.replace("http:", "https:")
    server.peers = peers
    return server


def data(name):
    return base64.b64encode((TLS / name).read_bytes()).decode()


def test_tls_with_the_kubeconfigs_authority(tls_server, connected, cancel):
    assert (
        len(
            list_once(connected(tls_server, {}, {"certificate-authority-data": data("ca.crt")}), cancel).items
        )
        == 1
    )
    client = connected(tls_server, {"token": "t"}, {"certificate-authority": str(TLS / "ca.crt")})
    list_once(client, cancel)
    list_once(client, cancel)
    assert [e.connection for e in tls_server.exchanges] == [1, 2, 2]


def test_unverified_certificate_says_so_and_what_to_do(tls_server, connected, cancel):
    with pytest.raises(TLSError, match=r"could not be verified.*check certificate-authority"):
        list_once(connected(tls_server, {}), cancel)


def test_wrong_server_name_says_so(tls_server, connected, cancel):
    authority = {"certificate-authority-data": data("ca.crt")}
    list_once(connected(tls_server, {}, {**authority, "tls-server-name": "cluster.test"}), cancel)
    with pytest.raises(TLSError, match="tls-server-name"):
        list_once(connected(tls_server, {}, {**authority, "tls-server-name": "other.test"}), cancel)


def test_insecure_skip_tls_verify_prints_no_warning(tls_server, connected, cancel, recwarn):
    list_once(connected(tls_server, {}, {"insecure-skip-tls-verify": True}), cancel)
    assert [w for w in recwarn if "InsecureRequest" in w.category.__name__] == []


def test_client_certificate_of_the_kubeconfig(tls_server, connected, cancel):
    user = {"client-certificate-data": data("client-1.pem"), "client-key-data": data("client-1.pem")}
    list_once(connected(tls_server, user, {"certificate-authority-data": data("ca.crt")}), cancel)
    assert tls_server.peers == ["first client"]


@pytest.mark.parametrize("in_memory", [True, False])
def test_the_client_key_is_in_no_file_once_the_connection_stands(
    tls_server, connected, cancel, tmp_path, monkeypatch, in_memory
):
    folder, loaded = tmp_path / "temporary", []
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    load = ssl.SSLContext.load_cert_chain
    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain",
                        lambda self, path, *more, **options: (loaded.append(path), load(self, path, *more, **options)))
    user = {"client-certificate-data": data("client-1.pem"), "client-key-data": data("client-1.pem")}
    list_once(connected(tls_server, user, {"certificate-authority-data": data("ca.crt")}), cancel)
    assert tls_server.peers == ["first client"]
    assert list(folder.iterdir()) == []  # while the client lives: whatever ends it, nothing is left
    ours = [str(path) for path in loaded if str(path) != str(TLS / "server.pem")]
    if in_memory and hasattr(os, "memfd_create"):
        assert all(path.startswith("/proc/self/fd/") for path in ours) and ours
        there = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if name.isdigit()
                 and os.path.islink(f"/proc/self/fd/{name}")]
        assert not [path for path in there if "memfd:kdash" in path]


def test_a_key_in_the_kubeconfig_goes_with_a_certificate_in_a_file(tls_server, connected, cancel):
    user = {"client-certificate": str(TLS / "client-1.pem"), "client-key-data": data("client-1.pem")}
    list_once(connected(tls_server, user, {"certificate-authority-data": data("ca.crt")}), cancel)
    user = {"client-certificate": str(TLS / "client-2.pem"), "client-key": str(TLS / "client-2.pem")}
    list_once(connected(tls_server, user, {"certificate-authority-data": data("ca.crt")}), cancel)
    assert tls_server.peers == ["first client", "second client"]


def test_exec_client_certificate_is_renewed_with_the_credential(tls_server, connected, cancel, tmp_path):
    clock, pair = VirtualClock(), tmp_path / "pair.pem"
    body = f"""
pem = open({str(pair)!r}).read()
status = dict(clientCertificateData=pem, clientKeyData=pem[pem.index('-----BEGIN PRIVATE'):],
              expirationTimestamp='2023-11-14T22:18:20Z')
print(json.dumps(dict(apiVersion={V1!r}, kind='ExecCredential', status=status)))
"""
    pair.write_text((TLS / "client-1.pem").read_text())
    user = {"exec": script_plugin(tmp_path / "plugin", body)}
    client = connected(tls_server, user, {"certificate-authority-data": data("ca.crt")}, clock=clock)
    list_once(client, cancel)
    list_once(client, cancel)
    pair.write_text((TLS / "client-2.pem").read_text())
    clock.advance(300)  # the virtual wall clock starts at 22:13:20
    list_once(client, cancel)
    assert tls_server.peers == ["first client", "second client"]
    assert [e.connection for e in tls_server.exchanges] == [1, 1, 2]


def test_damaged_client_certificate_is_told_without_its_content(serve, connected, cancel):
    user = {"client-certificate-data": "%%%not-base64", "client-key-data": "x"}
    server = serve(answers())
    server.url = server.url.replace("http:", "https:")
    with pytest.raises(CredentialError) as caught:
        list_once(connected(server, user), cancel)
    assert "not-base64" not in str(caught.value)
