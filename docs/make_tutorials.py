"""Makes the pictures of docs/tutorial-*.md from the running window, a step at a time.

Run under a screen, virtual or not; names of tutorials make only those::

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/make_tutorials.py ct mr cells film
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
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
        self.viewer.reset_view()

    @property
    def labels(self) -> NDArray[np.unsignedinteger]:
        """The session's labels (P, R, C)."""
        return np.asarray(self.control.session.labels)

    def go(self, index: int) -> PlaneRef:
        """Show a plane."""
        self.viewer.dims.set_current_step(0, index)
        self.settle()
        return PlaneRef(0, index)

    def box(self, index: int, mask: Mask, margin: int = MARGIN_PX) -> None:
        """Draw a box around a mask (P, R, C) in a plane, with the room in pixels that a hand leaves."""
        plane = self.go(index)
        row0, col0, row1, col1 = tight_box(plane.take(mask)) or (0, 0, 0, 0)
        self.widget.view.choose_tool(Tool.BOX)
        edges = row0 - margin, col0 - margin, row1 + margin, col1 + margin
        self.control.prompts.add_box(plane.box_of(edges))
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

    def delete(self, ids: Sequence[int]) -> None:
        """Choose objects in the table and delete them."""
        self.control.objects.select(ids[0])
        self.control.table.choose(ids)
        self.control.table.delete(ids)

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

    def close(self) -> None:
        """Close the window when nothing works in the background any more."""
        stage = self.control.stage
        screen.wait_until(lambda: stage.background.is_idle and stage.files.is_idle)
        self.control.close()
        self.viewer.close()

    def keep(self, step: str) -> None:
        """Photograph the window, small enough for a page."""
        self.settle()
        whole = Image.fromarray(self.viewer.screenshot(canvas_only=False, flash=False)).convert("RGB")
        height = round(whole.height * WIDTH_PX / whole.width)
        small = whole.resize((WIDTH_PX, height), Image.Resampling.LANCZOS)
        path = self.folder / f"tutorial-{self.name}-{step}.png"
        few = small.quantize(N_COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
        few.save(path, optimize=True)


def largest_plane(mask: Mask) -> int:
    """Return the plane with the most voxels of a mask (P, R, C)."""
    return int(np.argmax(mask.sum(axis=(1, 2))))


def follow_ct(page: Page, scratch: Path) -> None:
    """Segment a kidney, then the liver that touches it; measure, and write a DICOM SEG."""
    control = page.control
    kidney, liver = (page.truth == screen.number_of(organ) for organ in ("right kidney", "liver"))
    page.box(13, kidney)
    page.keep("box")
    page.follow(control.strip.propagate)
    control.table.rename(1, "right kidney")
    page.keep("propagated")
    control.objects.accept()
    page.box(28, liver)
    page.follow(control.strip.propagate)
    page.point(16, (60, 54), positive=False)
    page.follow(control.strip.propagate_here)
    control.table.rename(2, "liver")
    page.keep("second")
    page.unfold("measure", but=("image", "model", "prompt", "volume"))
    page.keep("measured")
    control.objects.accept()
    control.label_files.save(scratch / "ct-labels.seg.nrrd")
    screen.wait_until((scratch / "ct-labels.seg.nrrd").exists)
    page.viewer.layers.clear()
    page.viewer.open(str(write_sample(scratch, "ct").image), plugin=screen.PLUGIN)
    screen.wait_until(lambda: control.session is not None)
    page.viewer.reset_view()
    control.keeping.turn_down()
    page.go(16)
    control.label_files.load(scratch / "ct-labels.seg.nrrd")
    screen.wait_until(lambda: bool(control.session.objects))
    control.label_files.save(scratch / "ct.seg.dcm")
    screen.wait_until((scratch / "ct.seg.dcm").exists)
    page.unfold("object", "end", but=("image", "measure", "prompt", "volume"))
    page.keep("seg")


def follow_mr(page: Page, scratch: Path) -> None:
    """Follow one lesion from two boxes, correct it, and measure it."""
    lesion = page.truth == 3
    control = page.control
    for index in (18, 22):
        page.box(index, lesion, margin=0)
    page.keep("boxes")
    page.follow(control.strip.propagate)
    control.strip.next_doubtful()
    page.keep("doubt")
    page.box(16, lesion, margin=0)
    page.follow(control.strip.propagate)
    control.table.rename(1, "lesion")
    page.go(16)
    page.unfold("measure", but=("image", "model", "volume"))
    page.keep("measured")


def follow_cells(page: Page, scratch: Path) -> None:
    """Find everything, take it over, drop what is no nucleus, and draw a touching pair by hand."""
    control, everything = page.control, page.widget.everything_steps
    pair = TOUCHING_NUCLEI[0]
    page.go(largest_plane(page.truth == pair[0]))
    page.unfold("everything", but=("image", "prompt", "volume"))
    page.widget.everything.set_options(in_all=True, joins=True)
    everything.find(in_all=True, joins=True)
    screen.wait_until(lambda: everything.walk.is_running)
    screen.wait_until(lambda: not everything.walk.is_running, timeout_ms=1_200_000)
    page.keep("everything")
    everything.taking.take()
    page.delete(
        [one for one in control.session.objects if (page.truth[page.labels == one] == 0).mean() > 0.5]
    )
    page.unfold("object", but=("everything", "image", "prompt", "volume"))
    page.keep("taken")
    page.delete(sorted({int(np.bincount(page.labels[page.truth == one]).argmax()) for one in pair} - {0}))
    for one in pair:
        control.objects.start()
        nucleus = page.truth == one
        page.box(largest_plane(nucleus), nucleus)
        page.follow(control.strip.propagate)
        control.objects.accept()
    control.objects.select(max(control.session.objects))
    page.unfold("object", "measure", but=("everything", "image", "prompt", "volume"))
    page.keep("mended")


def follow_film(page: Page, scratch: Path) -> None:
    """Follow a fish that is hidden by a post."""
    fish = page.truth == 1
    control = page.control
    page.box(0, fish)
    control.table.rename(1, "fish")
    control.table.set_colour([1], (60, 230, 90))
    page.keep("box")
    page.follow(control.strip.propagate)
    page.go(15)
    page.keep("hidden")
    page.box(21, fish)
    page.follow(control.strip.propagate_here)
    page.go(14)
    control.strip.next_doubtful()
    page.keep("doubt")
    for index in (15, 16, 17):
        page.go(index)
        control.prompts.clear_plane()
    page.box(18, fish)
    page.keep("mended")


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
        page.close()


if __name__ == "__main__":
    main()
