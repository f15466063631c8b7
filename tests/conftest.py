"""What every test gets: throw-away folders, the real images where they are, a window where one can open."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

# napari's own fixtures reset its settings, and would wipe those of the person running the tests.
os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp(prefix="napari-sam-tests-")) / "settings.yaml")

# Processes that test side by side share the processor; torch reads this when it is imported.
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    n_threads = (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, n_threads)))

import pytest

# Their failures name the values, as those of a test do.
pytest.register_assert_rewrite("tests.contracts", "tests.cli.running", "tests.plugin.windows")

REPOSITORY = Path(__file__).resolve().parents[1]
_VIEWER_FIXTURES = {"make_napari_viewer", "make_napari_viewer_proxy", "qapp", "qtbot"}
_START_QT = "from qtpy.QtWidgets import QApplication; QApplication([])"


def _qt_can_be_imported() -> bool:
    try:
        from qtpy import QtGui, QtWidgets  # noqa: F401
    except Exception:  # qtpy raises kinds of its own, and a missing system library is an ImportError
        return False
    return True


# pytest-qt ends the whole run where Qt's libraries are missing, so it is loaded here, not by its entry point.
pytest_plugins = ["pytestqt.plugin"] if _qt_can_be_imported() else []


@functools.cache
def _why_no_window() -> str:
    """Say why no window can be opened here; empty if one can. Qt aborts the process, so another one tries."""
    if not pytest_plugins:
        return "Qt cannot be imported (a binding or its system libraries are missing; see CONTRIBUTING.md)"
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        return "no DISPLAY, and no Xvfb to make one (see CONTRIBUTING.md)"
    trial = subprocess.run([sys.executable, "-c", _START_QT], capture_output=True, timeout=120, check=False)
    if trial.returncode:
        return "Qt cannot start here (system libraries are missing; see CONTRIBUTING.md)"
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what opens a window, and skip it where that is impossible.

    With ``NAPARI_SAM_TESTS_NEED_WINDOW`` set, as in CI, being unable to open one ends the run instead.
    """
    for item in items:
        if _VIEWER_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("viewer")
        if item.get_closest_marker("viewer") and _why_no_window():
            if os.environ.get("NAPARI_SAM_TESTS_NEED_WINDOW"):
                raise pytest.UsageError(_why_no_window())
            item.add_marker(pytest.mark.skip(reason=_why_no_window()))


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep caches and settings of the person running the tests out of them."""
    for name in sorted(os.environ):
        if name.startswith("NAPARI_SAM_") and name != "NAPARI_SAM_TEST_DATA":
            monkeypatch.delenv(name)
    monkeypatch.setenv("NAPARI_SAM_CACHE_DIR", str(tmp_path / "napari-sam-cache"))
    monkeypatch.setenv("NAPARI_SAM_SESSIONS_DIR", str(tmp_path / "napari-sam-sessions"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real images with masks, which are too large for the repository."""
    path = Path(os.environ.get("NAPARI_SAM_TEST_DATA") or REPOSITORY.parent / "shared" / "data")
    if not (path / "eval").is_dir():
        pytest.skip(f"no test images at {path}; set NAPARI_SAM_TEST_DATA to their folder")
    return path


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return REPOSITORY
