"""The import contracts of the architecture, checked in fresh interpreters (import-linter checks them statically)."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"textual", "click", "kubernetes", "rich"}
PACKAGES = {"informer", "cluster", "demo", "probe", "observe", "ui", "cli"}
MAY_LOAD = {
    "informer": {"informer"},
    "demo": {"demo"},
    "cluster": {"cluster", "informer"},
    "probe": {"probe", "informer"},
    "observe": {"observe", "informer", "cluster", "probe", "demo"},
    "ui": {"ui", "observe", "informer", "cluster", "probe", "demo", "textual", "rich"},
    "cli": {"cli", "ui", "observe", "informer", "cluster", "probe", "demo", "click", "textual", "rich"},
}


def loaded_by(code: str) -> set[str]:
    """Top-level modules, and kdash's packages by their last name, that a fresh interpreter holds after `code`."""
    script = code + "\nimport sys; print('\\n'.join(sys.modules))"
    out = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    names = set()
    for module in out.split():
        parts = module.split(".")
        names.add(parts[1] if parts[0] == "kdash" and len(parts) > 1 else parts[0])
    return names


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_importing_a_package_loads_only_what_its_contract_allows(package: str) -> None:
    loaded = loaded_by(f"import kdash.{package}")
    forbidden = (HEAVY | PACKAGES) - MAY_LOAD[package]
    assert not loaded & forbidden


@pytest.mark.parametrize("code", ["import kdash", "import sys; sys.argv = ['kdash', '--version']\n"
                                  "import kdash.__main__\ntry: kdash.__main__.main()\nexcept SystemExit: pass"])
def test_import_kdash_and_version_load_nothing_heavy(code: str) -> None:
    assert not loaded_by(code) & (HEAVY | {"msgspec", "urllib3", "asyncio"})
