"""Makes docs/screenshot.png: two organs of the phantom, segmented in a real window.

Run under a screen, virtual or not::

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/make_screenshot.py
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Neither the settings nor the cache of the person who runs this take part.
_FOLDER = tempfile.mkdtemp(prefix="napari-sam-screenshot-")
os.environ["NAPARI_CONFIG"] = str(Path(_FOLDER) / "settings.yaml")
os.environ["NAPARI_SAM_CACHE_DIR"] = str(Path(_FOLDER) / "cache")
os.environ["NAPARI_SAM_SESSIONS_DIR"] = str(Path(_FOLDER) / "sessions")
os.environ["XDG_CONFIG_HOME"] = _FOLDER  # which steps are folded is remembered beside the settings

import napari
import numpy as np
from qtpy.QtCore import QEventLoop, QTimer

from napari_sam.core.masks import innermost_point, tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.nodes.phantom import PHANTOM_NAMES, make_phantom
from napari_sam.plugin._gestures import Tool

SIZE_PX = (1400, 900)
PLUGIN = "napari-sam-volumes"


def main() -> None:
    """Open a window, work in it as a person would, and keep its picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("screenshot.png"))
    parser.add_argument("--theme", choices=("dark", "light"), default="dark")
    arguments = parser.parse_args()
    viewer = napari.Viewer(show_welcome_screen=False)
    viewer.theme = arguments.theme
    viewer.window.resize(*SIZE_PX)
    viewer.open_sample(PLUGIN, "phantom")
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment objects")
    work(viewer, widget)
    viewer.screenshot(str(arguments.output), canvas_only=False, flash=False)
    viewer.close()


def work(viewer: napari.Viewer, widget: Any) -> None:
    """Segment two organs: a box and propagation, accept; then a box and a point."""
    control = widget.controller
    _, truth = make_phantom()
    plane = PlaneRef(0, int(np.argmax((truth == number_of("spleen")).sum(axis=(1, 2)))))
    viewer.dims.set_current_step(0, plane.index)
    wait_until(lambda: control.session is not None)
    widget.view.choose_tool(Tool.BOX)
    for organ in ("liver", "spleen"):
        mask = plane.take(truth) == number_of(organ)
        row0, col0, row1, col1 = tight_box(mask)
        control.prompts.add_box(plane.box_of((row0 - 2, col0 - 2, row1 + 2, col1 + 2)))
        wait_until(lambda: control.prompts.asking.request is None)
        if organ == "liver":
            control.strip.propagate()
            wait_until(lambda: not control.volume.following.is_running)
            control.objects.accept()
        else:
            widget.view.choose_tool(Tool.INCLUDE)
            control.prompts.add_point(plane.at(*innermost_point(mask)), True)
            wait_until(lambda: control.prompts.asking.request is None)
    wait_until(lambda: True)


def number_of(organ: str) -> int:
    """Return the phantom's label value of an organ."""
    return next(value for value, name in PHANTOM_NAMES.items() if name == organ)


def wait_until(condition: Callable[[], bool], timeout_ms: int = 120_000) -> None:
    """Let the window work until something is so."""
    loop, clock = QEventLoop(), QTimer()
    clock.timeout.connect(lambda: condition() and loop.quit())
    clock.start(200)
    QTimer.singleShot(timeout_ms, loop.quit)
    loop.exec()
    if not condition():
        raise SystemExit("the window did not get ready in time")


if __name__ == "__main__":
    main()
