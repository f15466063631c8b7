"""Makes the pictures of docs/tutorial-*.md from the running window, a step at a time.

Run under a screen, virtual or not; names of tutorials make only those::

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/make_tutorials.py ct mr cells film
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import make_screenshot as screen  # first of all: it keeps the user's settings and cache out
import napari
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_sam.core.masks import tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.nodes.nuclei import TOUCHING_NUCLEI
from napari_sam.nodes.samples import make_sample, write_sample
from napari_sam.plugin._gestures import Tool

SIZE_PX = (1240, 800)
WIDTH_PX = 960
N_COLOURS = 64
MARGIN_PX = 2

Mask = NDArray[np.bool_]


class Page:
    """A tutorial's window, and what a person does in it.

    Parameters
    ----------
    folder : Path
        Where the pictures go.
    name : str
        Of the tutorial, and of its sample.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.truth = make_sample(name)[1]
        self.viewer = napari.Viewer(show_welcome_screen=False)
        self.viewer.theme = "dark"
        self.viewer.window.resize(*SIZE_PX)
        self.viewer.open_sample(screen.PLUGIN, "phantom" if name == "ct" else name)
        _, self.widget = self.viewer.window.add_plugin_dock_widget(screen.PLUGIN, "Segment objects")
        self.control = self.widget.controller
        screen.wait_until(lambda: self.control.session is not None)

    def go(self, index: int) -> PlaneRef:
        """Show a plane."""
        self.viewer.dims.set_current_step(0, index)
        self.settle()
        return PlaneRef(0, index)

    def box(self, index: int, mask: Mask) -> None:
        """Draw a box around a mask (P, R, C) in a plane, with the room that a hand leaves."""
        plane = self.go(index)
        row0, col0, row1, col1 = tight_box(plane.take(mask)) or (0, 0, 0, 0)
        self.widget.view.choose_tool(Tool.BOX)
        m = MARGIN_PX
        self.control.prompts.add_box(plane.box_of((row0 - m, col0 - m, row1 + m, col1 + m)))
        self.answered()

    def point(self, index: int, at: tuple[int, int], *, positive: bool) -> None:
        """Click on (row, column) of a plane."""
        plane = self.go(index)
        self.widget.view.choose_tool(Tool.INCLUDE if positive else Tool.EXCLUDE)
        self.control.prompts.add_point(plane.at(*at), positive)
        self.answered()

    def answered(self) -> None:
        """Wait for the model's answer."""
        screen.wait_until(lambda: self.control.prompts.asking.request is None)

    def follow(self, start: Callable[[], None]) -> None:
        """Start a propagation and wait for its end."""
        start()
        screen.wait_until(lambda: not self.control.volume.following.is_running)

    def unfold(self, *names: str, but: tuple[str, ...] = ()) -> None:
        """Open steps of the dock, fold others, and bring the first of the opened ones into sight."""
        for name in but:
            self.widget.sections[name].fold(True)
        for name in names:
            self.widget.sections[name].fold(False)
        self.settle()
        if names:
            self.widget._scroll.ensureWidgetVisible(self.widget.sections[names[0]])
        self.settle()

    def settle(self) -> None:
        """Let the window draw."""
        screen.wait_until(lambda: True)
        QApplication.processEvents()

    def keep(self, step: str) -> None:
        """Photograph the window, small enough for a page."""
        self.settle()
        whole = Image.fromarray(self.viewer.screenshot(canvas_only=False, flash=False)).convert("RGB")
        height = round(whole.height * WIDTH_PX / whole.width)
        small = whole.resize((WIDTH_PX, height), Image.Resampling.LANCZOS)
        path = self.folder / f"tutorial-{self.name}-{step}.png"
        small.quantize(N_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)

    def overlap(self, object_id: int, mask: Mask) -> float:
        """Return the Dice overlap of an object and a mask (P, R, C)."""
        found = self.control.session.labels == object_id
        return float(2 * (found & mask).sum() / (found.sum() + mask.sum()))


def largest_plane(mask: Mask) -> int:
    """Return the plane with the most voxels of a mask (P, R, C)."""
    return int(np.argmax(mask.sum(axis=(1, 2))))


def follow_ct(page: Page, scratch: Path) -> None:
    """Liver and kidney, measures, and a DICOM SEG."""
    liver = page.truth == screen.number_of("liver")
    kidney = page.truth == screen.number_of("right kidney")
    control = page.control
    page.box(28, liver)
    page.keep("box")
    page.follow(control.strip.propagate)
    page.keep("propagated")
    control.table.rename(1, "liver")
    control.objects.accept()
    page.box(19, kidney)
    page.keep("second")
    page.follow(control.strip.propagate)
    control.table.rename(2, "right kidney")
    page.unfold("measure", but=("image", "model", "prompt", "volume"))
    page.keep("measured")
    control.objects.accept()
    series = write_sample(scratch, "ct").image
    saved = scratch / "ct-labels.nii.gz"
    control.label_files.save(saved)
    screen.wait_until(saved.exists)
    page.viewer.layers.clear()
    page.viewer.open(str(series), plugin=screen.PLUGIN)
    screen.wait_until(lambda: control.session is not None)
    page.go(19)
    control.label_files.load(saved)
    screen.wait_until(lambda: bool(control.session.objects))
    control.label_files.save(scratch / "ct.seg.dcm")
    screen.wait_until((scratch / "ct.seg.dcm").exists)
    page.unfold("image", "object", "end", but=("measure",))
    page.keep("seg")


def follow_mr(page: Page, scratch: Path) -> None:
    """One lesion from two boxes and a correction, and its volume."""
    lesion = page.truth == 3
    control = page.control
    page.box(18, lesion)
    page.box(22, lesion)
    page.keep("boxes")
    page.follow(control.strip.propagate)
    page.keep("propagated")
    page.unfold("measure", but=("image", "model", "volume"))
    page.keep("measured")


def follow_cells(page: Page, scratch: Path) -> None:
    """Everything without prompts, a touching pair mended by hand, and a table."""
    first, second = TOUCHING_NUCLEI[0]
    plane = page.go(largest_plane(page.truth == first)).index
    page.widget.show_everything()
    page.widget.everything_steps.find(in_all=True, joins=True)
    screen.wait_until(lambda: page.widget.everything_steps.walk.is_running)
    screen.wait_until(lambda: not page.widget.everything_steps.walk.is_running)
    page.keep("everything")
    print(plane, second)


def follow_film(page: Page, scratch: Path) -> None:
    """Follow a fish that is hidden by a post."""
    fish = page.truth == 1
    control = page.control
    page.box(0, fish)
    page.keep("box")
    page.follow(control.strip.propagate)
    page.go(15)
    page.keep("hidden")
    page.box(21, fish)
    page.follow(control.strip.propagate_here)
    page.keep("back")


PAGES: dict[str, Callable[[Page, Path], None]] = {
    "ct": follow_ct,
    "mr": follow_mr,
    "cells": follow_cells,
    "film": follow_film,
}


def main() -> None:
    """Follow the steps of the tutorials, and keep a picture of each result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "names", nargs="*", choices=(*PAGES, []), default=[], help="which; all without a name"
    )
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder of the pictures")
    given: Any = parser.parse_args()
    for name in given.names or PAGES:
        page = Page(given.output, name)
        with TemporaryDirectory() as scratch:
            PAGES[name](page, Path(scratch))
        page.viewer.close()


if __name__ == "__main__":
    main()
