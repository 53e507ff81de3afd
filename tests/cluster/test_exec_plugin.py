"""Exec plugins: a real little script is run, without a terminal, and as seldom as possible."""

import contextlib
import json
import os
import signal
import stat
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kdash.cluster.errors import ConfigError, CredentialError
from kdash.cluster.exec_plugin import ExecPlugin
from kdash.informer.clock import SystemClock, VirtualClock
from kdash.informer.errors import StopRequested
from kdash.informer.list_watch import CancelToken
from tests.cluster.conftest import run_and_cancel

V1 = "client.authentication.k8s.io/v1"


@pytest.fixture
def plugin(tmp_path):
    """Make an ExecPlugin whose command is a Python script with this body."""

    def make(body, clock=None, timeout_s=20.0, cluster=None, **spec):
        path = tmp_path / "login-plugin"
        path.write_text(f"#!{sys.executable}\nimport json, os, sys\n{body}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        spec = {"apiVersion": V1, "command": str(path), **spec}
        return ExecPlugin(spec, cluster or {}, clock or SystemClock(), timeout_s=timeout_s)

    return make


def printing(**status):
    return f"print(json.dumps({ {'apiVersion': V1, 'kind': 'ExecCredential', 'status': status}!r}))"


@contextlib.contextmanager
def typed_ahead(text):
    """Give this process a standard input with something in it."""
    reader, writer = os.pipe()
    os.write(writer, text)
    os.close(writer)
    saved = os.dup(0)
    os.dup2(reader, 0)
    try:
        yield
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        os.close(reader)


def rfc3339(wall_s):
    return datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_token_is_asked_for_once_while_it_lasts(plugin, cancel):
    one = plugin(printing(token="abc"))
    assert [one.credential(cancel).token for _ in range(3)] == ["abc"] * 3
    assert one.runs == 1


def test_users_32_plugin_runs_again_shortly_before_expiry_and_not_per_request(plugin, cancel):
    clock = VirtualClock()
    one = plugin(printing(token="abc", expirationTimestamp=rfc3339(clock.wall() + 301)), clock)
    for _ in range(5):
        one.credential(cancel)
        clock.advance(50)
    assert one.runs == 1
    clock.advance(25)  # 275 of 301 s are over: within the margin
    one.credential(cancel)
    assert one.runs == 2


def test_token_that_lives_shorter_than_the_margin_is_still_used(plugin, cancel):
    clock = VirtualClock()
    one = plugin(printing(token="abc", expirationTimestamp=rfc3339(clock.wall() + 20)), clock)
    for _ in range(5):
        one.credential(cancel)
        clock.advance(3)
    assert one.runs == 1


def test_rejected_credential_is_asked_for_again(plugin, cancel):
    one = plugin(printing(token="abc"))
    one.credential(cancel)
    one.rejected()
    one.credential(cancel)
    assert one.runs == 2


def test_plugin_has_no_terminal_and_is_told_so(plugin, cancel, tmp_path):
    report = tmp_path / "report"
    body = f"""
try:
    open('/dev/tty'); tty = True
except OSError:
    tty = False
json.dump(dict(stdin=sys.stdin.read(), tty=tty, ttys=[os.isatty(n) for n in (0, 1, 2)], sid=os.getsid(0),
          info=json.loads(os.environ['KUBERNETES_EXEC_INFO']), extra=os.environ['EXTRA'], args=sys.argv[1:]),
          open({str(report)!r}, 'w'))
""" + printing(token="abc")
    cluster = {"server": "https://x", "insecure-skip-tls-verify": False}
    one = plugin(
        body, cluster=cluster, args=["--now"], env=[{"name": "EXTRA", "value": "1"}], provideClusterInfo=True
    )
    with typed_ahead(b"typed by the user\n"):
        one.credential(cancel)
    seen = json.loads(report.read_text())
    assert (seen["stdin"], seen["tty"], seen["ttys"]) == ("", False, [False] * 3)
    assert seen["sid"] != os.getsid(0)
    assert seen["info"] == {
        "apiVersion": V1,
        "kind": "ExecCredential",
        "spec": {"interactive": False, "cluster": {"server": "https://x"}},
    }
    assert (seen["extra"], seen["args"]) == ("1", ["--now"])


def test_failed_plugin_reports_its_stderr_and_nothing_is_printed(plugin, cancel, capfd):
    one = plugin("print('secret-ish'); sys.stderr.write('\\x1b[31msession expired\\nlog in\\n'); sys.exit(7)")
    with pytest.raises(CredentialError) as caught:
        one.credential(cancel)
    assert "'login-plugin' failed with exit status 7: [31msession expired log in" in str(caught.value)
    assert "secret-ish" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_child_that_keeps_the_plugins_output_open_is_not_waited_for(plugin, cancel, tmp_path):
    pid = tmp_path / "pid"
    body = f"""
import subprocess
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
open({str(pid)!r}, 'w').write(str(child.pid))
""" + printing(token="abc")
    one = plugin(body)
    try:
        assert one.credential(cancel).token == "abc"
        os.kill(int(pid.read_text()), 0)  # it still runs, and has the pipes
    finally:
        os.kill(int(pid.read_text()), signal.SIGKILL)


def test_a_cancelled_request_does_not_wait_for_a_child_of_its_plugin(plugin, cancel, tmp_path):
    pid = tmp_path / "pid"
    body = f"""
import subprocess, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)
open({str(pid)!r} + '.new', 'w').write(str(child.pid)); os.rename({str(pid)!r} + '.new', {str(pid)!r})
time.sleep(60)
"""
    one, raised = plugin(body), []

    def ask():
        try:
            one.credential(cancel)
        except StopRequested as stopped:
            raised.append(stopped)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    while not pid.exists():
        thread.join(0.01)
    cancel.cancel()
    thread.join(20)
    os.kill(int(pid.read_text()), signal.SIGKILL)
    assert len(raised) == 1


def test_failure_is_kept_a_moment_so_that_many_informers_do_not_storm(plugin, cancel):
    clock = VirtualClock()
    one = plugin("sys.exit(1)", clock)
    for _ in range(10):
        with pytest.raises(CredentialError):
            one.credential(cancel)
    assert one.runs == 1
    clock.advance(2.1)
    with pytest.raises(CredentialError):
        one.credential(cancel)
    assert one.runs == 2


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("print('no json')", "did not print an ExecCredential"),
        ("print('[]')", "did not print an ExecCredential"),
        (printing(), "neither a token nor"),
        (printing(clientCertificateData="c"), "without its key"),
        (printing(token="t", expirationTimestamp="tomorrow"), "did not print an ExecCredential"),
        (
            printing(token="t").replace("/v1'", "/v1beta1'"),
            "v1beta1 ExecCredential where the kubeconfig asks for",
        ),
    ],
)
def test_plugin_output_that_is_no_credential(plugin, cancel, body, said):
    with pytest.raises(CredentialError, match=said):
        plugin(body).credential(cancel)


def test_missing_plugin_shows_the_install_hint(cancel):
    spec = {"apiVersion": V1, "command": "no-such-plugin-at-all", "installHint": "brew install\nit"}
    with pytest.raises(CredentialError, match="was not found; brew install it"):
        ExecPlugin(spec, {}, SystemClock()).credential(cancel)


@pytest.mark.parametrize(
    "spec",
    [
        {"command": "x", "apiVersion": "v2"},
        {"apiVersion": V1},
        {"command": "x", "apiVersion": V1, "interactiveMode": "Always"},
    ],
)
def test_unusable_exec_sections_are_configuration_errors(spec):
    with pytest.raises(ConfigError):
        ExecPlugin(spec, {}, SystemClock())


def test_plugin_that_hangs_is_ended_with_all_its_children(plugin, cancel, tmp_path):
    pid, clock, errors = tmp_path / "pid", VirtualClock(), []
    body = f"""
import subprocess
child = subprocess.Popen(['sleep', '1000'])
open({str(pid)!r}, 'w').write(f'{{child.pid}}\\n')
child.wait()
"""
    one = plugin(body, clock)

    def run():
        with pytest.raises(CredentialError, match="gave nothing within 20 s") as caught:
            one.credential(cancel)
        errors.append(caught.value)

    thread = threading.Thread(target=run)
    thread.start()
    tick = threading.Event()
    while not pid.exists() or not pid.read_text().endswith("\n"):
        tick.wait(0.01)
    clock.advance(21)
    thread.join(20)
    assert len(errors) == 1
    child = pid.read_text().strip()
    status = Path(f"/proc/{child}/stat")
    if Path("/proc/self/stat").exists():
        give_up = threading.Event()
        timer = threading.Timer(20, give_up.set)
        timer.start()
        while not give_up.is_set() and status.exists() and status.read_text().split()[2] != "Z":
            tick.wait(0.01)
        timer.cancel()
        assert not give_up.is_set(), "the plugin's child still runs"


def test_waiting_for_a_plugin_ends_on_cancel(plugin, tmp_path):
    started = tmp_path / "started"
    one = plugin(f"open({str(started)!r}, 'w').close()\nimport time\ntime.sleep(1000)")

    def until_started():
        tick = threading.Event()
        while not started.exists():
            tick.wait(0.01)

    assert isinstance(run_and_cancel(one.credential, until_started), StopRequested)


def test_requests_at_once_run_the_plugin_once(plugin):
    one, tokens = plugin(printing(token="abc")), []
    threads = [
        threading.Thread(target=lambda: tokens.append(one.credential(CancelToken()).token)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert tokens == ["abc"] * 8
    assert one.runs == 1


def test_credential_never_shows_its_secrets(plugin, cancel):
    one = plugin(printing(token="hunter2", clientCertificateData="cert", clientKeyData="key-data"))
    assert "hunter2" not in repr(one.credential(cancel))
    assert "key-data" not in repr(one.credential(cancel))
