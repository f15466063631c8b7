"""Fakes that need no model, no thread and no window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from scipy import ndimage

from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.window import Window
from napari_sam.errors import Cancelled
from napari_sam.plugin._jobs import Job, JobQueue
from napari_sam.plugin.controller import Controller, ImageSource
from napari_sam.plugin.view import PanelState, View
from volumes import Box, Geometry, Provenance, Volume

THRESHOLD = 100
BALL_AREA = 380  # pixels of the ellipse with half axes 10 and 12 in the middle plane


def ball_volume(shape: tuple[int, int, int] = (9, 40, 50)) -> Volume:
    """A bright ellipsoid in the middle; voxels of 3 × 1 × 1 mm."""
    centre = [(n - 1) / 2 for n in shape]
    grid = np.ogrid[tuple(slice(n) for n in shape)]
    radii = (shape[0] / 3, 10.0, 12.0)
    inside = sum(((x - c) / r) ** 2 for x, c, r in zip(grid, centre, radii, strict=True)) <= 1.0
    data = np.where(inside, 200, 20).astype(np.int16)
    return Volume(data, Geometry.from_spacing(shape, (3.0, 1.0, 1.0)), Provenance("test"))


class ThresholdSegmenter:
    """Finds the bright connected part that holds the first positive point, or lies in the box."""

    name = "threshold.test"
    prompts = frozenset({"point", "box", "mask"})
    device = "cpu"

    def __init__(self) -> None:
        self.requests: list[SegmentRequest] = []
        self.prefetched: list[tuple[PlaneRef, ...]] = []

    def segment(self, request: SegmentRequest) -> MaskPrediction:
        self.requests.append(request)
        shape, plane = request.volume.shape, request.plane
        bright = plane.take(request.volume.data) > THRESHOLD
        parts, _ = ndimage.label(bright)
        keep = np.zeros_like(bright)
        for prompt in request.prompts:
            if isinstance(prompt, PointPrompt) and prompt.positive:
                row, col = (round(x) for x in plane.rc(prompt.at))
                keep |= (parts == parts[row, col]) & bright
            elif isinstance(prompt, BoxPrompt):
                row0, col0, row1, col1 = plane.box_hw(prompt.box)
                keep[row0:row1, col0:col1] |= bright[row0:row1, col0:col1]
        mask = BoxedMask.of_plane(keep, plane, shape)
        return MaskPrediction(
            plane, (mask,) * 3, np.array([0.9, 0.8, 0.7], np.float32), np.zeros((3, 4, 4), np.float16)
        )

    def prefetch(
        self,
        volume: Volume,
        planes: Sequence[PlaneRef],
        window: Window,
        cancel: Cancel | None = None,
        around: Box | None = None,
    ) -> None:
        self.prefetched.append(tuple(planes))


class StepBackground:
    """A background whose jobs run when the test says so."""

    def __init__(self) -> None:
        self.queue = JobQueue()
        self.ran: list[str] = []

    def submit(self, job: Job) -> None:
        self.queue.submit(job)

    def cancel(self, kind: str) -> None:
        self.queue.cancel(kind)

    def leave_to(self, kind: str, limit_s: float) -> None:
        pass

    def close(self) -> None:
        self.queue.clear()

    def run(self, *, max_parts: int | None = None) -> None:
        """Run all jobs; after `max_parts` parts of one, call its `cancel`."""
        while (job := self.queue.take()) is not None:
            self.ran.append(job.kind)
            try:
                for n_parts, part in enumerate(job.work(job.cancel), 1):
                    job.on_part(part)
                    if n_parts == max_parts:
                        job.cancel.cancel()
            except Cancelled:
                job.on_done()
            except Exception as error:
                job.on_error(error)
            else:
                job.on_done()
            self.queue.done(job)


@dataclass
class Desk:
    """A controller with a mock of a view and fakes of everything else."""

    controller: Controller
    view: Mock
    background: StepBackground
    files: StepBackground
    segmenter: ThresholdSegmenter
    saved: list[tuple[Path, np.ndarray, Volume]]
    sources: dict[str, ImageSource] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.view.images.side_effect = lambda: list(self.sources.values())
        self.view.turn_to_image.side_effect = lambda key: self.controller.choose_image(self.sources[key])

    @property
    def state(self) -> PanelState:
        """What the panels show."""
        return self.view.show_state.call_args.args[0]

    def open(self, volume: Volume | None = None, key: str = "a") -> None:
        """Choose an image and show the middle plane."""
        volume = volume or ball_volume()
        self.sources[key] = ImageSource(key, f"image {key}", lambda: volume)
        self.controller.choose_image(self.sources[key])
        self.controller.show_plane(PlaneRef(0, volume.shape[0] // 2))
        self.background.run()

    def click(self, row: float = 20, column: float = 25, positive: bool = True) -> None:
        """Click on the shown plane."""
        self.controller.prompts.add_point(self.controller.plane.at(row, column), positive)


@pytest.fixture
def make_ball_volume() -> Callable[..., Volume]:
    return ball_volume


@pytest.fixture
def segmenter() -> ThresholdSegmenter:
    return ThresholdSegmenter()


@pytest.fixture
def step_background() -> StepBackground:
    return StepBackground()


@pytest.fixture
def desk(segmenter: ThresholdSegmenter) -> Desk:
    view, background, files, saved = Mock(spec=View), StepBackground(), StepBackground(), []
    view.in_a_moment.side_effect = lambda call: call()
    controller = Controller(
        view, background, files, lambda name, weights: segmenter, lambda *written: saved.append(written)
    )
    return Desk(controller, view, background, files, segmenter, saved)


@pytest.fixture
def window(make_napari_viewer_proxy, qtbot, monkeypatch, segmenter, make_ball_volume, tmp_path):
    """Open a window on the bright ball, read by our reader from a NIfTI file."""
    import napari_sam.plugin.widget as widget
    from napari_sam.plugin._reader import layer_of_volume

    monkeypatch.setattr(widget, "load_model", lambda name, weights: segmenter)
    from tests.plugin.windows import Window

    viewer = make_napari_viewer_proxy(show=True)
    data, arguments, _ = layer_of_volume(make_ball_volume(), "ball")
    viewer.add_image(data, **arguments)
    opened = Window(viewer, qtbot)
    opened.ready()
    viewer.dims.set_current_step(0, 4)
    return opened
