"""What an import must not load, asked of fresh interpreters (the time itself: benchmarks/import_time.py)."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

GUI = {"napari", "qtpy", "magicgui", "superqt", "vispy", "PyQt5", "PyQt6", "PySide2", "PySide6"}
HEAVY = {"torch", "SimpleITK", "nibabel", "pydicom", "skimage", "transformers"}
LOADED = "import json, sys; import {module}; print(json.dumps([n.split('.')[0] for n in list(sys.modules)]))"

CASES = {
    "napari_sam": GUI | HEAVY | {"numpy", "scipy"},
    "napari_sam.cli.main": GUI | HEAVY,
    "napari_sam.core.session": GUI | {"torch"},
    "napari_sam.core.propagation": GUI | {"torch"},
    "napari_sam.plugin": GUI | {"torch"},
    "napari_sam.plugin.controller": GUI | {"torch"},
    "napari_sam.store.cache": GUI | {"torch"},
    "volumes": GUI | HEAVY,
}


@pytest.mark.parametrize(("module", "unwanted"), CASES.items(), ids=CASES)
def test_import_loads_nothing_heavy(module: str, unwanted: set[str]) -> None:
    result = subprocess.run(
        [sys.executable, "-c", LOADED.format(module=module)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert unwanted & set(json.loads(result.stdout)) == set()


@pytest.mark.parametrize("name", ["torch", "SimpleITK"])
def test_the_names_looked_for_exist(name: str) -> None:
    assert importlib.util.find_spec(name) is not None
