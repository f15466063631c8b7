"""Read the evaluation data's images and masks, on purpose without the package under test.

Everything becomes planes first: ``(P, R, C)`` or ``(P, R, C, 3)``, a 2-D image being one plane.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SOFT_TISSUE_HU = (-160.0, 240.0)
PERCENTILES = (0.5, 99.5)
_PICTURES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class Row:
    """One line of an ``INDEX.tsv``: where an image and its mask lie, and what they are."""

    path: str
    mask_path: str
    modality: str
    classes: str
    mask_type: str

    @property
    def names(self) -> dict[int, str]:
        """Names by label value (``value:name=voxels;…``); empty for instance masks."""
        entries = (entry.split("=")[0].split(":") for entry in self.classes.split(";") if ":" in entry)
        return {int(value): name for value, name in entries}


def read_index(root: Path) -> list[Row]:
    """Read the lines of ``root/INDEX.tsv``.

    Raises
    ------
    FileNotFoundError
        Where the folder has no ``INDEX.tsv``.
    """
    path = root / "INDEX.tsv"
    if not path.is_file():
        raise FileNotFoundError(f"no INDEX.tsv in {root}; pass a folder of the evaluation data with --data")
    fields = ("path", "mask_path", "modality", "classes", "mask_type")
    with path.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Row(**{field: line[field] for field in fields}) for line in reader]


def read_planes(path: Path) -> NDArray[Any]:
    """Read an image, a volume, a DICOM series or a folder of frames as ``(P, R, C[, 3])``."""
    if path.is_dir():
        files = sorted(entry for entry in path.iterdir() if entry.is_file())
        if any(entry.suffix == ".dcm" for entry in files):
            return _read_dicom([entry for entry in files if entry.suffix == ".dcm"])
        return np.stack([_read_picture(entry) for entry in files if entry.suffix in _PICTURES])
    if path.suffix in _PICTURES:
        return _read_picture(path)[None]
    if path.suffix in (".tif", ".tiff"):
        import tifffile

        array: NDArray[Any] = np.asarray(tifffile.imread(path))
        return array if array.ndim == 3 else array[None]
    import SimpleITK as sitk

    return np.asarray(sitk.GetArrayFromImage(sitk.ReadImage(str(path))))


def read_labels(path: Path) -> NDArray[np.int32]:
    """Read a label image as ``(P, R, C)`` int32."""
    labels = read_planes(path)
    rounded: NDArray[np.int32] = np.rint(labels[..., 0] if labels.ndim == 4 else labels).astype(np.int32)
    return rounded


def display_range(volume: NDArray[Any], modality: str) -> tuple[float, float]:
    """Choose one intensity range for all planes of a volume (never plane by plane).

    8-bit data keep 0..255, CT in Hounsfield units gets the soft-tissue range, everything else the
    percentiles 0.5 and 99.5 of the whole volume.
    """
    if volume.dtype == np.uint8:
        return 0.0, 255.0
    if modality.startswith("CT") or float(volume.min()) <= -900:
        return SOFT_TISSUE_HU
    low, high = np.percentile(volume, PERCENTILES)
    return float(low), float(max(high, low + 1e-6))


def to_uint8(plane: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Map a plane's ``low..high`` to 0..255; 8-bit planes pass unchanged."""
    if plane.dtype == np.uint8:
        return np.ascontiguousarray(plane)
    scaled = (np.asarray(plane, dtype=np.float64) - low) * (255.0 / max(high - low, 1e-12))
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def _read_picture(path: Path) -> NDArray[Any]:
    from PIL import Image

    with Image.open(path) as image:
        if image.mode in ("RGBA", "CMYK", "YCbCr") or (image.mode == "P" and path.suffix != ".png"):
            return np.asarray(image.convert("RGB"))
        return np.asarray(image)


def _read_dicom(files: list[Path]) -> NDArray[Any]:
    import pydicom

    datasets = [pydicom.dcmread(entry) for entry in files]
    orientation = np.asarray(datasets[0].ImageOrientationPatient, dtype=float)
    normal = np.cross(orientation[:3], orientation[3:])
    datasets.sort(key=lambda data: float(np.dot(normal, np.asarray(data.ImagePositionPatient, dtype=float))))
    planes = [
        data.pixel_array * float(data.get("RescaleSlope", 1)) + float(data.get("RescaleIntercept", 0))
        for data in datasets
    ]
    return np.stack(planes)
