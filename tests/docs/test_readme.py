"""The Python in README.md is run as it stands there, against the embedded server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kdash.demo import ApiServer

ROOT = Path(__file__).resolve().parents[2]


def blocks(heading: str) -> list[str]:
    """The python blocks of one chapter."""
    [chapter] = [
        each for each in re.split(r"(?m)^## ", (ROOT / "README.md").read_text("utf-8")) if each.startswith(heading)
    ]
    return re.findall(r"(?ms)^```python\n(.*?)^```", chapter)


@pytest.fixture
def server():
    with ApiServer(objects=20, rate=0, scenario="calm") as server:
        yield server


def run(arguments: list[str], **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env={**os.environ, **environment}, text=True,
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_the_controller_example_works_on_the_embedded_server(server: ApiServer) -> None:
    [example] = blocks("Use the informer in your own controller")
    namespaces = {each.key for each in server.storage.list_stored("namespaces")[0]}
    server.storage.create("configmaps", {"metadata": {"name": "settings", "namespace": "default"}})
    told = run(["-c", example], SERVER=server.url)
    assert "default is fine" in told
    for name in namespaces - {"default"}:
        assert f"{name} needs its config map" in told


def test_the_server_example_works() -> None:
    example, _ = blocks("Test your controller against it")
    told = run(["-c", example])
    assert re.search(r"[1-9][0-9]* pods in the cache; requests so far: [1-9]", told)


def test_the_fixture_example_passes(tmp_path: Path) -> None:
    example, fixture = blocks("Test your controller against it")
    imports = "\n".join(line for line in example.splitlines() if line.startswith("from "))
    (tmp_path / "test_example.py").write_text(f"{imports}\n{fixture}", "utf-8")
    arguments = ["-m", "pytest", "-q", "-p", "no:kmock", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    assert "1 passed" in run([*arguments, str(tmp_path)])
