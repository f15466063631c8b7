"""Where a NIfTI or Analyze header puts its voxels."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from volumes.errors import InvalidGeometry
from volumes.geometry import Geometry
from volumes.volume import Provenance

if TYPE_CHECKING:
    from volumes._nifti.header import AnyHeader

__all__ = ["Form", "NiftiProvenance", "Place", "from_ras", "place_of", "to_ras"]

_UNIT_MM = {1: ("metres", 1e3), 3: ("microns", 1e-3)}
_UNIT_BITS = 7
_CODES = range(6)
_APART_MM, _APART_VOXELS = 0.01, 0.1
_ROUNDED_NORM = 1.001  # of a quaternion's last three numbers; beyond it they are no rotation
_TWO_PLACES = (
    "the file gives two places, and its sform was taken; programs that take the qform (ITK-SNAP, 3D Slicer) "
    "may show it elsewhere, and its labels with it"
)
_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Form:
    """One of the two places a NIfTI header may give.

    Parameters
    ----------
    matrix : tuple of 16 float
        Row by row, from (column, row, plane, 1) to RAS mm.
    code : int
        What the place is relative to: 1 scanner, 2 aligned, 3 Talairach, 4 MNI, 5 other template.
    numbers : tuple of 10 float
        For a qform as it stands in a header: qfac, voxel sizes, quaternion, offset (in mm). A matrix would
        not give the same quaternion again near a half turn.
    """

    matrix: tuple[float, ...]
    code: int
    numbers: tuple[float, ...] = ()

    @property
    def ras(self) -> NDArray[np.float64]:
        """The matrix (4, 4)."""
        return np.reshape(self.matrix, (4, 4)).astype(np.float64)


@dataclass(frozen=True)
class NiftiProvenance(Provenance):
    """Where a volume came from, with both places of its header, so that labels can repeat them.

    Programs differ in which of the two they take (nibabel the sform, ITK mostly the qform). A label file that
    gives the same two lies on its image in all of them.

    Parameters
    ----------
    sform, qform : Form, optional
        In mm, with finite values; None where the header has none or it is unusable.
    """

    sform: Form | None = None
    qform: Form | None = None


@dataclass(frozen=True)
class Place:
    """The place taken, those that the header gives, and what was assumed."""

    geometry: Geometry
    sform: Form | None = None
    qform: Form | None = None
    notes: tuple[str, ...] = ()


def from_ras(ras: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn NIfTI's (column, row, plane) -> RAS into (plane, row, column) -> LPS, both (4, 4) in mm."""
    return np.asarray((_RAS @ ras)[:, [2, 1, 0, 3]])


def to_ras(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn (plane, row, column) -> LPS into NIfTI's (column, row, plane) -> RAS: inverse of `from_ras`."""
    return np.asarray(_RAS @ affine[:, [2, 1, 0, 3]])


@np.errstate(all="ignore")  # a damaged header holds any number
def place_of(header: AnyHeader, name: str, shape: tuple[int, int, int], path: Path) -> Place:
    """Say where the voxels lie: by the sform where its code is not 0, else the qform, else along LPS.

    Raises
    ------
    InvalidGeometry
        If the chosen place is not finite or flat.
    """
    header = deepcopy(header)
    notes = _mend_pixdim(header, path)
    if name == "Analyze":
        return _analyze_place(header, shape, path, notes)
    unit, factor = _UNIT_MM.get(int(header["xyzt_units"]) & _UNIT_BITS, ("", 1.0))
    if unit:
        notes.append(f"lengths in {unit} were converted to millimetres")
    sform, qform = _sform(header, factor, shape, path, notes), _qform(header, factor, path, notes)
    forms = {"sform": sform, "qform": qform}
    geometries = {
        kind: grid for kind, form in forms.items() if form and (grid := _grid(shape, form, kind, notes))
    }
    if not geometries:
        if sform or qform:
            raise InvalidGeometry(f"{path} has an orientation that is flat; mend its header")
        codes = [int(header["sform_code"]), int(header["qform_code"])]
        if not set(codes) <= set(_CODES):
            raise InvalidGeometry(f"{path} has the codes {codes} for its orientation; mend its header")
        mm = np.array(header["pixdim"][1:4], dtype=np.float64) * factor
        spacing = (float(mm[2]), float(mm[1]), float(mm[0]))
        notes.append("the file holds no orientation; its axes were taken as LPS")
        return Place(Geometry.from_spacing(shape, spacing), notes=tuple(notes))
    geometry = next(iter(geometries.values()))
    notes += _unlike(geometries)
    if "sform" not in geometries:
        sform = None
    return Place(geometry, sform, qform, tuple(notes))


def _mend_pixdim(header: AnyHeader, path: Path) -> list[str]:
    """Make voxel sizes positive, in place, and say which were not."""
    pixdim = header["pixdim"]
    if not np.isfinite(pixdim[:4]).all():
        raise InvalidGeometry(
            f"{path} has voxel sizes that are not finite: {pixdim[:4].tolist()}; mend its header"
        )
    notes = []
    n_axes = int(header["dim"][0])
    if (pixdim[1:4] < 0).any():
        notes.append(f"negative voxel sizes {pixdim[1:4].tolist()} were taken as positive")
    if (pixdim[1 : 1 + min(n_axes, 3)] == 0).any():
        notes.append(f"a voxel size of 0 in {pixdim[1:4].tolist()} was taken as 1 mm")
    sizes = np.abs(pixdim[1:4])
    pixdim[1:4] = np.where(sizes == 0, 1.0, sizes)
    pixdim[0] = -1.0 if pixdim[0] < 0 else 1.0
    return notes


def _code(header: AnyHeader, form: str, notes: list[str]) -> int:
    """Return the code of a form; 0, with a note, for a number that NIfTI does not have."""
    code = int(header[f"{form}_code"])
    if code in _CODES:
        return code
    notes.append(f"the {form} has the code {code}, which NIfTI does not have, and was left out")
    return 0


def _sform(
    header: AnyHeader, factor: float, shape: tuple[int, int, int], path: Path, notes: list[str]
) -> Form | None:
    """Return the sform in mm; the axis of a single plane may be left out of it."""
    if not _code(header, "sform", notes):
        return None
    ras = np.eye(4)
    for row, name in enumerate(("srow_x", "srow_y", "srow_z")):
        ras[row] = header[name]
    if not np.isfinite(ras).all():
        raise InvalidGeometry(
            f"{path} has an sform with values that are not finite: {ras[:3].tolist()}; mend its header"
        )
    for axis, length in enumerate(reversed(shape)):
        one, other = (ras[:3, at] for at in range(3) if at != axis)
        normal = np.cross(one, other)
        if length == 1 and not ras[:3, axis].any() and normal.any():
            ras[:3, axis] = normal / np.linalg.norm(normal) * float(header["pixdim"][1 + axis])
            notes.append("an axis of length 1 has no direction; it was put at right angles to the others")
    ras[:3] *= factor
    return Form(tuple(ras.ravel().tolist()), int(header["sform_code"]))


def _qform(header: AnyHeader, factor: float, path: Path, notes: list[str]) -> Form | None:
    """Return the qform in mm."""
    if not _code(header, "qform", notes):
        return None
    quaternion = np.array([header[name] for name in ("quatern_b", "quatern_c", "quatern_d")], np.float64)
    offset = [float(header[name]) for name in ("qoffset_x", "qoffset_y", "qoffset_z")]
    if not np.isfinite([*quaternion, *offset]).all():
        raise InvalidGeometry(
            f"{path} has a qform with values that are not finite: {[*quaternion.tolist(), *offset]}; "
            "mend its header"
        )
    norm = float(np.linalg.norm(quaternion))
    if norm > _ROUNDED_NORM:
        if not _code(header, "sform", []):
            raise InvalidGeometry(
                f"{path} has a qform that is no rotation: {quaternion.tolist()}; mend its header"
            )
        notes.append("the qform is no rotation and was left out")
        return None
    mm = np.array(header["pixdim"][1:4], dtype=np.float64)
    ras = np.eye(4)
    ras[:3, :3] = _rotation(quaternion / max(norm, 1.0)) * (mm * [1.0, 1.0, float(header["pixdim"][0])])
    ras[:3, 3] = offset
    ras[:3] *= factor
    qfac = float(header["pixdim"][0])
    numbers = (qfac, *(mm * factor), *quaternion, *ras[:3, 3])
    return Form(tuple(ras.ravel().tolist()), int(header["qform_code"]), tuple(map(float, numbers)))


def _rotation(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation (3, 3) of a unit quaternion whose first number is left out, by nibabel.

    The first number is the root of what is missing to one. Near a half turn that is only rounding of the
    other three, which are stored in 32 bits, so it counts as zero there, as in NIfTI's own library.
    """
    from nibabel.quaternions import quat2mat

    missing = 1.0 - float(quaternion @ quaternion)
    if missing < 1e-7:
        quaternion, missing = quaternion / np.linalg.norm(quaternion), 0.0
    return np.asarray(quat2mat([np.sqrt(missing), *quaternion]))


def _grid(shape: tuple[int, int, int], form: Form, kind: str, notes: list[str]) -> Geometry | None:
    """Return the geometry of a form; None, with a note, where it is flat."""
    try:
        return Geometry(shape, from_ras(form.ras))
    except InvalidGeometry:
        notes.append(f"the {kind} is flat and was left out")
        return None


def _unlike(geometries: dict[str, Geometry]) -> list[str]:
    """Note where the two forms differ by more than rounding."""
    if len(geometries) < 2:
        return []
    sform, qform = geometries["sform"], geometries["qform"]
    tolerance_mm = min(_APART_MM, _APART_VOXELS * min(sform.spacing_mm))
    if sform.is_close(qform, tolerance_mm):
        return []
    return [_TWO_PLACES]


def _analyze_place(header: AnyHeader, shape: tuple[int, int, int], path: Path, notes: list[str]) -> Place:
    """Place an Analyze image as nibabel and SPM do: columns to the left, rows to the front, planes upward."""
    origin = np.array(header["origin"][:3], dtype=np.float64)
    size = np.array(shape[::-1], dtype=np.float64)
    has_origin = bool(origin.any() and (origin > -size).all() and (origin < 2 * size).all())
    at = origin - 1 if has_origin else (size - 1) / 2
    ras = np.diag([*(np.array(header["pixdim"][1:4], dtype=np.float64) * [-1, 1, 1]), 1.0])
    ras[:3, 3] = -ras[:3, :3] @ at
    where = "at SPM's origin" if has_origin else "in the middle of the volume"
    notes.append(
        "Analyze holds no orientation; columns were taken to run to the left, rows to the front and planes "
        f"upward, with zero {where}"
    )
    if path.with_suffix(".mat").is_file():
        notes.append("SPM's .mat file beside it was not used")
    return Place(Geometry(shape, from_ras(ras)), notes=tuple(notes))
