"""The whole job on a sample that comes with the package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import volumes
from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import tight_box
from napari_sam.nodes.models import ModelChoice
from napari_sam.nodes.object_prompts import box_in_plane, group_prompts
from napari_sam.nodes.outputs import check_outputs
from napari_sam.nodes.phantom import PHANTOM_NAMES, make_phantom
from napari_sam.nodes.progress import Progress, silent
from napari_sam.nodes.report import RunReport
from napari_sam.nodes.segment_file import SegmentJob, segment_file
from volumes import UnwritableOutput, Volume

__all__ = ["DemoResult", "dice", "run_demo"]

_LABEL = 1
_MARGIN_PX = 2


@dataclass(frozen=True)
class DemoResult:
    """Where everything is, what was asked, and how well it went.

    Attributes
    ----------
    image, truth, labels, preview, report : Path
        The phantom, its true labels, the labels found, the picture, the report.
    plane : int
        The plane of the one box.
    box_hw : tuple of int
        The box: half-open (row0, column0, row1, column1).
    dice : float
        Overlap of found and true voxels over the whole volume, 0 to 1.
    run : RunReport
        The report's content.
    """

    image: Path
    truth: Path
    labels: Path
    preview: Path
    report: Path
    plane: int
    box_hw: tuple[int, int, int, int]
    dice: float
    run: RunReport


def run_demo(
    folder: Path,
    model: ModelChoice | None = None,
    *,
    progress: Progress = silent,
    cancel: Cancel | None = None,
) -> DemoResult:
    """Write the phantom to a folder, read it back, and segment its liver from one box in one plane.

    Parameters
    ----------
    folder : Path
        Made where it is missing; files of the demo's names in it are replaced.
    model : ModelChoice, optional
        The default model when None.

    Raises
    ------
    UnwritableOutput
        The folder cannot be made or written to.
    SamError
        As `segment_file`.
    """
    files = [folder / name for name in ("phantom.nii.gz", "truth.nii.gz", "labels.nii.gz", "preview.png")]
    image, truth_file, labels, preview = files
    report = folder / "report.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableOutput(
            f"cannot make the folder {folder}: {error.strerror}; choose another with --output"
        ) from error
    check_outputs([], [*files, report])
    volume, truth = make_phantom()
    _write_image(image, volume)
    volumes.write(truth_file, truth, like=volume)
    plane, box_hw = _box_of_largest_plane(truth == _LABEL)
    objects = (group_prompts(_LABEL, PHANTOM_NAMES[_LABEL], [box_in_plane(0, plane, box_hw)]),)
    job = SegmentJob(image, labels, objects, model=model or ModelChoice(), preview=preview, report=report)
    run = segment_file(job, progress=progress, cancel=cancel)
    found = np.asarray(volumes.read(labels).data) == _LABEL
    return DemoResult(
        image, truth_file, labels, preview, report, plane, box_hw, dice(found, truth == _LABEL), run
    )


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Return twice the common voxels over the sum of both; 1 where both are empty."""
    n_both = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return 2 * int(np.count_nonzero(a & b)) / n_both if n_both else 1.0


def _box_of_largest_plane(mask: NDArray[np.bool_]) -> tuple[int, tuple[int, int, int, int]]:
    """Return the plane with the most voxels, and a box around them with the room that a hand would leave."""
    plane = int(np.argmax(np.count_nonzero(mask, axis=(1, 2))))
    r0, c0, r1, c1 = tight_box(mask[plane]) or (0, 0, *mask.shape[1:])
    height, width = mask.shape[1:]
    return plane, (
        max(0, r0 - _MARGIN_PX),
        max(0, c0 - _MARGIN_PX),
        min(height, r1 + _MARGIN_PX),
        min(width, c1 + _MARGIN_PX),
    )


def _write_image(path: Path, volume: Volume) -> None:
    """Write a grey volume whose axes lie along the world's, as NIfTI."""
    import SimpleITK

    image = SimpleITK.GetImageFromArray(np.asarray(volume.data))
    image.SetSpacing(volume.geometry.spacing_mm[::-1])
    image.SetOrigin(volume.geometry.affine[:3, 3].tolist())
    SimpleITK.WriteImage(image, str(path))
