"""A picture of a segmentation: planes side by side with the objects' outlines."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from skimage.measure import find_contours

from napari_sam.core.masks import tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt, Prompt
from napari_sam.core.window import Window
from napari_sam.nodes.amounts import PIXELS, size_of, units_of
from napari_sam.nodes.object_prompts import ObjectPrompts
from volumes import Volume

__all__ = ["PreviewScene", "choose_planes", "render_preview"]

_MAX_PLANES = 12
_N_COLUMNS = 4
_CELL_PX = 320
_GAP_PX = 6
_LINE_PX = 24
_MARGIN = 0.2
"""Shown around the objects, as a share of the plane's longer side."""

_PAPER, _INK, _ANCHOR = (24, 24, 28), (235, 235, 235), (255, 209, 71)
_POSITIVE, _NEGATIVE = (90, 230, 120), (255, 80, 80)
_COLOURS = (
    (255, 99, 71), (64, 196, 255), (124, 222, 92), (255, 121, 218),
    (255, 170, 51), (170, 140, 255), (64, 224, 190), (240, 230, 90),
)  # fmt: skip

_DRAWABLE = str.maketrans({"²": "2", "³": "3", "µ": "u"})
"""What Pillow's own font lacks, and what is written instead."""

Colour = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class PreviewScene:
    """What to show.

    Parameters
    ----------
    volume : Volume
        The image.
    labels : NDArray, shape (P, R, C)
        The segmentation.
    window : Window
        The window that the model saw the image through.
    axis : int
        The axis that the shown planes cut across.
    objects : tuple of ObjectPrompts
        What to outline, with the prompts to mark.
    """

    volume: Volume
    labels: NDArray[Any]
    window: Window
    axis: int
    objects: tuple[ObjectPrompts, ...]


@dataclass(frozen=True)
class _View:
    """How a cut of a plane becomes a cell: half-open (r0, c0, r1, c1), pixels a voxel, flipped or not."""

    cut: tuple[int, int, int, int]
    scale_rc: tuple[float, float]
    is_flipped: bool

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the cell."""
        r0, c0, r1, c1 = self.cut
        return max(1, round((c1 - c0) * self.scale_rc[1])), max(1, round((r1 - r0) * self.scale_rc[0]))

    def xy(self, row: float, col: float) -> tuple[float, float]:
        """Position in the cell of a place in the plane, given from the corner of its first voxel."""
        y = (row - self.cut[0]) * self.scale_rc[0]
        return (col - self.cut[1]) * self.scale_rc[1], self.size_px[1] - y if self.is_flipped else y


def render_preview(scene: PreviewScene) -> bytes:
    """Draw up to 12 planes, spread over the objects, as a PNG.

    Planes have the true aspect of their voxels, and the head at the top where rows run along the body.
    Prompted planes have a yellow frame, and show their prompts.

    Returns
    -------
    bytes
        The PNG file.
    """
    anchors = {plane.index for one in scene.objects for plane, _ in one.by_plane}
    filled = _filled(scene)
    planes = choose_planes(filled.planes, sorted(anchors))
    view = _choose_view(scene, filled.footprint)
    cells = [_draw_cell(scene, PlaneRef(scene.axis, index), view, index in anchors) for index in planes]
    stream = io.BytesIO()
    _mount(cells, _captions(scene, filled.n_voxels)).save(stream, format="PNG")
    return stream.getvalue()


@dataclass(frozen=True, eq=False)
class _Filled:
    """Planes with an object in them, where in a plane (H, W) there is any, and each object's voxels."""

    planes: list[int]
    footprint: NDArray[np.bool_]
    n_voxels: list[int]


def _filled(scene: PreviewScene) -> _Filled:
    """Look through the labels plane by plane, for a volume may be larger than the memory."""
    ids, planes = [one.id for one in scene.objects], []
    n_voxels = np.zeros(len(ids), dtype=np.int64)
    footprint = np.zeros(PlaneRef(scene.axis, 0).shape_hw(scene.volume.shape), dtype=np.bool_)
    for index in range(scene.volume.shape[scene.axis]):
        labels = PlaneRef(scene.axis, index).take(scene.labels)
        if labels.any():
            counts = [int(np.count_nonzero(labels == number)) for number in ids]
            n_voxels += counts
            footprint |= np.isin(labels, ids)
            planes += [index] if any(counts) else []
    return _Filled(planes, footprint, n_voxels.tolist())


def choose_planes(filled: Sequence[int], anchors: Sequence[int], n: int = _MAX_PLANES) -> list[int]:
    """Choose up to `n` planes: the anchors, and the others spread evenly over the filled ones.

    Parameters
    ----------
    filled, anchors : sequence of int
        Planes with something to see, and prompted planes, both rising.
    n : int
        How many at most.

    Returns
    -------
    list of int
        Rising.
    """
    if len(anchors) >= n:
        return [anchors[i] for i in _spread(len(anchors), n)]
    chosen = {filled[i] for i in _spread(len(filled), n)}
    for anchor in anchors:
        if anchor not in chosen and len(chosen) == n:
            chosen.remove(min(chosen.difference(anchors), key=lambda index: abs(index - anchor)))
        chosen.add(anchor)
    return sorted(chosen)


def _spread(n_all: int, n: int) -> list[int]:
    if n_all <= n:
        return list(range(n_all))
    return [int(i) for i in np.rint(np.linspace(0, n_all - 1, n))]


def _choose_view(scene: PreviewScene, footprint: NDArray[np.bool_]) -> _View:
    """Show the objects with some room around them, the same cut in every plane."""
    plane = PlaneRef(scene.axis, 0)
    hw = plane.shape_hw(scene.volume.shape)
    prompts = [prompt for one in scene.objects for _, some in one.by_plane for prompt in some]
    boxes = [plane.box_hw(prompt.box) for prompt in prompts if isinstance(prompt, BoxPrompt)]
    boxes.append(tight_box(footprint) or (0, 0, *hw))
    margin = math.ceil(_MARGIN * max(hw))
    r0, c0 = (max(0, min(box[i] for box in boxes) - margin) for i in (0, 1))
    r1, c1 = (min(hw[i - 2], max(box[i] for box in boxes) + margin) for i in (2, 3))
    inside = [axis for axis in (0, 1, 2) if axis != scene.axis]
    row_mm, col_mm = (scene.volume.geometry.spacing_mm[axis] for axis in inside)
    px_per_mm = _CELL_PX / max((r1 - r0) * row_mm, (c1 - c0) * col_mm)
    head_up = bool(scene.volume.geometry.directions[2, inside[0]] > 0.5)
    return _View((r0, c0, r1, c1), (row_mm * px_per_mm, col_mm * px_per_mm), head_up)


def _draw_cell(scene: PreviewScene, plane: PlaneRef, view: _View, is_anchor: bool) -> Image.Image:
    r0, c0, r1, c1 = view.cut
    grey = scene.window.to_uint8(np.asarray(plane.take(scene.volume.data)))[r0:r1, c0:c1]
    grey = np.ascontiguousarray(grey[::-1] if view.is_flipped else grey)
    image = Image.fromarray(grey).convert("RGB").resize(view.size_px, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    labels = plane.take(scene.labels)
    for number, one in enumerate(scene.objects):
        for outline in _outlines(labels == one.id):
            draw.line([view.xy(row, col) for row, col in outline], fill=_colour(number), width=2)
        for prompted, prompts in one.by_plane:
            if prompted == plane:
                _draw_prompts(
                    draw, view, plane, [p for p in prompts if isinstance(p, PointPrompt | BoxPrompt)]
                )
    if is_anchor:
        draw.rectangle((0, 0, image.width - 1, image.height - 1), outline=_ANCHOR, width=3)
    text = f"{plane.index}  prompt" if is_anchor else str(plane.index)
    draw.text(
        (8, 6),
        text,
        fill=_ANCHOR if is_anchor else _INK,
        font=_font(15),
        stroke_width=2,
        stroke_fill=(0, 0, 0),
    )
    return image


def _outlines(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Outlines as (n, 2) rows and columns, measured from the corner of the first voxel."""
    if not mask.any():
        return []
    padded = np.pad(mask, 1).astype(np.float32)
    outlines: list[NDArray[np.float64]] = find_contours(padded, 0.5)
    return [outline - 0.5 for outline in outlines]


def _draw_prompts(draw: ImageDraw.ImageDraw, view: _View, plane: PlaneRef, prompts: Sequence[Prompt]) -> None:
    for prompt in prompts:
        if isinstance(prompt, BoxPrompt):
            r0, c0, r1, c1 = plane.box_hw(prompt.box)
            corners = [view.xy(*corner) for corner in ((r0, c0), (r0, c1), (r1, c1), (r1, c0), (r0, c0))]
            draw.line(corners, fill=_ANCHOR, width=1)
        elif isinstance(prompt, PointPrompt):
            row, col = plane.rc(prompt.at)
            x, y = view.xy(row + 0.5, col + 0.5)
            fill = _POSITIVE if prompt.positive else _NEGATIVE
            draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill=fill, outline=(0, 0, 0))


def _captions(scene: PreviewScene, n_voxels: Sequence[int]) -> list[tuple[str, Colour]]:
    spacing = " x ".join(f"{mm:.3g}" for mm in scene.volume.geometry.spacing_mm)
    window = f"{scene.window.low:g} to {scene.window.high:g}"
    voxels = "" if units_of(scene.volume) is PIXELS else f"   voxels {spacing} mm"
    captions = [(f"axis {scene.axis}   window {window}{voxels}", _INK)]
    for number, one in enumerate(scene.objects):
        size = size_of(scene.volume, n_voxels[number]) or "nothing"
        captions.append((f"{one.id} {one.name or 'object'} {size.translate(_DRAWABLE)}", _colour(number)))
    return captions


def _mount(cells: Sequence[Image.Image], captions: Sequence[tuple[str, Colour]]) -> Image.Image:
    """Put cells of one size into rows, with the captions above."""
    width, height = cells[0].size
    n_columns = min(_N_COLUMNS, len(cells))
    n_rows = math.ceil(len(cells) / n_columns)
    sheet_width = max(n_columns * (width + _GAP_PX) + _GAP_PX, 480)
    lines = _flow(captions, sheet_width)
    head_px = len(lines) * _LINE_PX + _GAP_PX
    sheet = Image.new("RGB", (sheet_width, head_px + n_rows * (height + _GAP_PX)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        for x, text, colour in line:
            draw.text((x, _GAP_PX + number * _LINE_PX), text, fill=colour, font=_font(15))
    for number, cell in enumerate(cells):
        row, column = divmod(number, n_columns)
        sheet.paste(cell, (_GAP_PX + column * (width + _GAP_PX), head_px + row * (height + _GAP_PX)))
    return sheet


def _flow(captions: Sequence[tuple[str, Colour]], width: int) -> list[list[tuple[int, str, Colour]]]:
    """Break captions into lines: (x, text, colour) each."""
    lines: list[list[tuple[int, str, Colour]]] = [[]]
    x = _GAP_PX + 2
    for text, colour in captions:
        length = math.ceil(_font(15).getlength(text)) + 24
        if lines[-1] and x + length > width:
            lines.append([])
            x = _GAP_PX + 2
        lines[-1].append((x, text, colour))
        x += length
    return lines


def _colour(number: int) -> Colour:
    return _COLOURS[number % len(_COLOURS)]


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
