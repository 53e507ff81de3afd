"""The command line's answers to wrong input: one sentence on stderr, the right exit code, no traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest


def kdash(*arguments: str, home: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command with an empty home and no kubeconfig but what `env` says."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("KUBE", "KDASH"))}
    clean |= {"HOME": str(home or "/nonexistent"), **env}
    return subprocess.run([sys.executable, "-m", "kdash", *arguments], capture_output=True, text=True,
                          timeout=60, env=clean, stdin=subprocess.DEVNULL, check=False)


def failed(result: subprocess.CompletedProcess[str], code: int) -> str:
    """Assert a clean failure; returns its sentence."""
    assert result.returncode == code, result.stderr
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("kdash: ")
    assert "Traceback" not in result.stderr
    return lines[0]


def kubeconfig(folder: Path, server: str, context: str = "dev") -> Path:
    path = folder / "config"
    path.write_text(
        f"apiVersion: v1\nkind: Config\ncurrent-context: {context}\n"
        f"clusters:\n- name: c\n  cluster:\n    server: {server}\n"
        f"contexts:\n- name: {context}\n  context:\n    cluster: c\n    user: u\n"
        "users:\n- name: u\n  user: {}\n"
    )
    return path


def test_version_is_told_apart_from_the_other_kdash() -> None:
    result = kdash("--version")
    assert (result.returncode, result.stdout) == (0, "kdash 0.1.0 (not kdash-rs)\n")


@pytest.mark.parametrize(
    "arguments", [("--help",), ("snapshot", "--help"), ("pods", "--help"), ("demo", "-h")]
)
def test_help_goes_to_stdout(arguments: tuple[str, ...]) -> None:
    result = kdash(*arguments)
    assert result.returncode == 0 and "Usage:" in result.stdout and result.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("snapshot", "--outptu", "json"), "--output"),
        (("snapshot", "--resync", "30"), "30s"),
        (("snapshot", "--resync", "-3s"), "negative"),
        (("snapshot", "--handler", "x=nap"), "sleep:300ms"),
        (("snapshot", "--handler", "x", "--handler", "x"), "twice"),
        (("snapshot", "--queue", "fifo"), "real-atomic"),
        (("snapshot", "pods/web"), "write pods"),
        (("snapshot", "pods,,svc"), "empty"),
        (("snapshot", "-n", "a/b"), "namespace"),
        (("snapshot", "--as-group", "g"), "--as"),
        (("snapshot", "--page-size", "-1"), "-1"),
        (("trace", "--for", "3s", "--count", "2"), "--for"),
        (("trace", "--count", "0"), "0"),
        (("demo", "--kubeconfig", "/tmp/x"), "--serve-only"),
        (("--refresh", "0"), "0"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(arguments: tuple[str, ...], part: str) -> None:
    assert part in failed(kdash(*arguments), 2)


def test_options_may_stand_before_the_command() -> None:
    assert "no cluster is configured" in failed(kdash("-n", "snapshot", "snapshot"), 3)


def test_no_cluster_at_all_is_exit_code_3_without_a_screen() -> None:
    assert "--kubeconfig" in failed(kdash("snapshot"), 3)


def test_a_missing_kubeconfig_is_exit_code_2() -> None:
    assert "/nowhere/config" in failed(kdash("snapshot", "--kubeconfig", "/nowhere/config"), 2)


def test_an_unknown_context_offers_the_nearest(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, "http://127.0.0.1:1", "staging")
    sentence = failed(kdash("snapshot", "--kubeconfig", str(path), "--context", "stagin"), 2)
    assert "staging" in sentence


def test_a_broken_kubeconfig_is_exit_code_2(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("{[")
    assert str(path) in failed(kdash("trace", "--kubeconfig", str(path)), 2)


def test_a_refused_connection_is_exit_code_3(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = kubeconfig(tmp_path, f"http://127.0.0.1:{port}")
    for command in ("snapshot", "trace"):
        assert "connection refused" in failed(kdash(command, "--kubeconfig", str(path)), 3)
