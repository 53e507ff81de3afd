"""`kdash snapshot`, `trace` and `demo --serve-only` on the embedded server, as real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_command_line import failed, kdash

DEMO = ("--demo", "--objects", "20", "--rate", "0", "--seed", "3")


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "kdash", *arguments], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})


def test_a_snapshot_as_json_holds_every_stage() -> None:
    result = kdash("snapshot", *DEMO, "-o", "json", "--queue", "real")
    assert (result.returncode, result.stderr) == (0, "")
    picture = json.loads(result.stdout)
    assert picture["state"]["word"] == "LIVE"
    assert picture["informers"][0]["synced"] is True
    assert picture["handlers"][0]["adds"] == picture["objects"] > 0
    assert picture["queue"]["engine"] == "real"
    assert picture["api"]["requests"] >= 1


def test_a_snapshot_as_table_has_a_heading_for_every_stage() -> None:
    result = kdash("snapshot", "pods,nodes", *DEMO)
    assert result.returncode == 0
    for heading in ("INFORMER", "QUEUE", "HANDLER", "REQUESTS"):
        assert heading in result.stdout
    assert "nodes" in result.stdout


def test_a_trace_is_one_line_an_event_and_stops_after_count() -> None:
    result = kdash("trace", "--demo", "--rate", "50", "--count", "30", "--resync", "1s")
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert len(lines) == 30
    assert any(" REFLECT " in line for line in lines)


def test_a_trace_as_json_is_one_document_a_line() -> None:
    result = kdash("trace", "--demo", "--rate", "0", "-o", "json", "--count", "5")
    documents = [json.loads(line) for line in result.stdout.splitlines()]
    assert [document["number"] for document in documents] == [0, 1, 2, 3, 4]
    assert documents[0]["category"] == "APP"


def test_a_trace_for_a_while_shows_resync_waves_without_requests() -> None:
    result = kdash("trace", "--demo", "--rate", "0", "--for", "3s", "--resync", "1s")
    assert result.returncode == 0
    assert "(0 API requests)" in result.stdout


def test_ctrl_c_in_a_trace_is_exit_code_130_without_a_traceback() -> None:
    process = start("trace", "--demo", "--rate", "20")
    assert process.stdout is not None and process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors.strip()) == (130, "")


def test_a_reader_that_goes_away_ends_a_trace_quietly() -> None:
    process = start("trace", "--demo", "--rate", "50")
    assert process.stdout is not None and process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 0
    assert process.stderr is not None and process.stderr.read() == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_only_prints_a_kubeconfig_that_works_and_ends_with_exit_code_0(
    number: signal.Signals, tmp_path: Path
) -> None:
    path = tmp_path / "config"
    process = start("demo", "calm", "--serve-only", "--objects", "10", "--kubeconfig", str(path))
    assert process.stdout is not None
    assert process.stdout.readline() == f"export KUBECONFIG={path}\n"
    assert "127.0.0.1" in process.stdout.readline()
    result = kdash("snapshot", "-A", "-o", "json", "--kubeconfig", str(path))
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["source"] == "kdash-demo"
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


def test_an_unknown_resource_offers_the_nearest() -> None:
    assert "pods" in failed(kdash("snapshot", "podz", *DEMO), 2)


def test_an_unknown_scenario_offers_the_nearest() -> None:
    assert "rolling-update" in failed(kdash("demo", "roling-update", "--serve-only"), 2)


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    process = start("demo", "calm", "--serve-only")
    assert process.stdout is not None
    process.stdout.readline()
    port = process.stdout.readline().split("127.0.0.1:")[1].split()[0]
    assert port in failed(kdash("demo", "calm", "--serve-only", "--port", port), 1)
    process.terminate()
    process.communicate(timeout=30)


def test_a_dashboard_in_a_pipe_names_what_works_there() -> None:
    sentence = failed(kdash("demo"), 2)
    assert "needs a terminal" in sentence
    assert "kdash snapshot" in sentence
