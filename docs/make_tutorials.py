"""Makes the pictures of docs/tutorial-ct.md from the running window.

Run under a screen, virtual or not::

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/make_tutorials.py
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import make_screenshot as window  # first of all: it keeps the user's settings and cache out
import napari
import numpy as np
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_sam.core.masks import tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.nodes.phantom import make_phantom
from napari_sam.plugin._gestures import Tool

WIDTH_PX = 960


def main() -> None:
    """Follow the steps of the tutorial, and keep a picture of each result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder of the pictures")
    folder = parser.parse_args().output
    viewer = napari.Viewer(show_welcome_screen=False)
    viewer.theme = "dark"
    viewer.window.resize(*window.SIZE_PX)
    viewer.open_sample(window.PLUGIN, "phantom")
    _, widget = viewer.window.add_plugin_dock_widget(window.PLUGIN, "Segment objects")
    follow_ct(viewer, widget, folder)
    viewer.close()


def follow_ct(viewer: napari.Viewer, widget: Any, folder: Path) -> None:
    """Box the liver, propagate it, and accept it."""
    control = widget.controller
    _, truth = make_phantom()
    liver = truth == window.number_of("liver")
    plane = PlaneRef(0, int(np.argmax(liver.sum(axis=(1, 2)))))
    viewer.dims.set_current_step(0, plane.index)
    window.wait_until(lambda: control.session is not None)
    widget.view.choose_tool(Tool.BOX)
    row0, col0, row1, col1 = tight_box(plane.take(liver))
    control.prompts.add_box(plane.box_of((row0 - 2, col0 - 2, row1 + 2, col1 + 2)))
    window.wait_until(lambda: control.prompts.asking.request is None)
    keep(viewer, folder / "tutorial-ct-box.png")
    control.strip.propagate()
    window.wait_until(lambda: not control.volume.following.is_running)
    keep(viewer, folder / "tutorial-ct-propagated.png")
    control.objects.accept()
    keep(viewer, folder / "tutorial-ct-accepted.png")


def keep(viewer: napari.Viewer, path: Path) -> None:
    """Photograph the window, small enough for a page."""
    window.wait_until(lambda: True)
    QApplication.processEvents()
    picture = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)).convert("RGB")
    height = round(picture.height * WIDTH_PX / picture.width)
    small = picture.resize((WIDTH_PX, height), Image.Resampling.LANCZOS)
    small.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
