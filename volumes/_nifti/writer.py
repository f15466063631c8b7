"""Write labels and images as NIfTI-1, or NIfTI-2 where NIfTI-1 has no room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volumes._nifti.header import parse_header
from volumes._nifti.place import Form, NiftiProvenance, place_of, to_ras
from volumes._nifti.reader import open_nifti
from volumes._replacing import replacing
from volumes._written import IMAGE_LEVEL, LABEL_LEVEL, check_written, gzipped, voxel_bytes
from volumes.errors import UnsupportedImage
from volumes.geometry import Geometry
from volumes.lazy import LazyArray
from volumes.segments import Segment
from volumes.volume import Provenance, Volume

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Header

__all__ = ["NiftiWriter"]

_SCANNER = 1
_LONGEST_AXIS = 32767
_RIGHT_ANGLES = 1e-4  # ITK's own limit
_TYPES = ("b1", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")
_EXTENSION = bytes(4)  # none follows


@dataclass(frozen=True)
class NiftiWriter:
    """Labels and images as NIfTI, in millimetres, with sform and qform.

    Where the source was a NIfTI file its forms are repeated with their codes, so that every program makes of
    the labels what it makes of the image. Axes that are not at right
    angles (a tilted gantry) stand in the sform alone, for a qform cannot hold them.
    """

    suffixes: tuple[str, ...] = (".nii.gz", ".nii")

    def write(self, path: Path, labels: NDArray[Any], like: Volume, segments: Sequence[Segment]) -> None:
        """Write labels (P, R, C) with the geometry of `like`; packed but for ``.nii``. Names have no place.

        Raises
        ------
        UnwritableOutput
            If the file cannot be written, or does not read back as it was meant.
        """
        _write(path, labels, like.geometry, like.provenance, check=labels)

    def write_image(self, path: Path, volume: Volume) -> None:
        """Write grey values or colours as they are, plane by plane.

        Raises
        ------
        UnsupportedImage
            If NIfTI has no such number type.
        UnwritableOutput
            As `write`.
        """
        _write(path, volume.data, volume.geometry, volume.provenance, check=None)

    def caveats(self, path: Path, like: Volume) -> tuple[str, ...]:
        """Say what some programs will make of the file otherwise, one sentence each."""
        said = []
        header = _header(np.dtype(np.uint8), like.geometry, like.provenance)
        if int(header["sizeof_hdr"]) == 540:
            said.append(
                f"{path.name} is NIfTI-2, for its size or place do not fit NIfTI-1; SimpleITK cannot read it"
            )
        if int(header["qform_code"]) == 0 and _is_sheared(like.geometry):
            said.append(
                f"the axes of the image are not at right angles (a tilted gantry): nibabel reads {path.name} "
                "in the right place, SimpleITK and ITK-SNAP refuse it; write to .nrrd or .mha for them"
            )
        return tuple(said)


def _write(
    path: Path,
    data: NDArray[Any] | LazyArray,
    geometry: Geometry,
    provenance: Provenance,
    check: NDArray[Any] | None,
) -> None:
    """Write voxels with their geometry, and read back what matters."""
    is_packed = path.name.lower().endswith(".gz")
    header = _header(data.dtype, geometry, provenance, n_colours=data.shape[3] if data.ndim == 4 else 0)
    with replacing(path, ".nii.gz" if is_packed else ".nii") as temporary:
        with temporary.open("wb") as stream:
            if is_packed:
                with gzipped(stream, IMAGE_LEVEL if check is None else LABEL_LEVEL) as packed:
                    _put(packed, header, data)
            else:
                _put(stream, header, data)
        check_written(path, lambda: open_nifti(temporary), geometry, check)


def _put(stream: Any, header: Nifti1Header, data: NDArray[Any] | LazyArray) -> None:
    stream.write(header.binaryblock + _EXTENSION)
    for chunk in _chunks(header, data):
        stream.write(chunk)


def _chunks(header: Nifti1Header, data: NDArray[Any] | LazyArray) -> Iterator[bytes]:
    """Voxels in the file's order: components one after another where the header has a fifth axis."""
    if int(header["dim"][0]) < 5:
        yield from voxel_bytes(data)
        return
    for component in range(data.shape[3]):
        for index in range(data.shape[0]):
            plane = np.asarray(data[index])[..., component]
            yield plane.astype(plane.dtype.newbyteorder("<")).tobytes()


def _header(
    dtype: np.dtype[Any], geometry: Geometry, provenance: Provenance, n_colours: int = 0
) -> Nifti1Header:
    """Return a little-endian header: NIfTI-1's where it holds the size, and the place to 1e-3 mm."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    forms = _forms(geometry, provenance)
    if max(geometry.shape) <= _LONGEST_AXIS:
        header = _filled(Nifti1Header(endianness="<"), dtype, geometry, forms, n_colours)
        place = place_of(parse_header(header.binaryblock, Path())[0], "NIfTI", geometry.shape, Path())
        if place.geometry.is_close(geometry):
            return header
    return _filled(Nifti2Header(endianness="<"), dtype, geometry, forms, n_colours)


def _filled(
    header: Nifti1Header,
    dtype: np.dtype[Any],
    geometry: Geometry,
    forms: tuple[Form | None, Form | None],
    n_colours: int,
) -> Nifti1Header:
    """Fill in the shape, the type and the place."""
    if dtype.str[1:] not in _TYPES:
        raise UnsupportedImage(f"NIfTI has no numbers of type {dtype}; convert the image's values first")
    planes, rows, columns = geometry.shape
    is_bytes = n_colours == 3 and dtype == np.uint8
    header.set_data_dtype("RGB" if is_bytes else np.uint8 if dtype.kind == "b" else dtype)
    tail = (1, n_colours) if n_colours and not is_bytes else ()
    header.set_data_shape((columns, rows, planes, *tail))
    plane_mm, row_mm, column_mm = geometry.spacing_mm
    header.set_zooms((column_mm, row_mm, plane_mm, *(1.0 for _ in tail)))
    if tail:
        header.set_intent("vector")
    header.set_xyzt_units("mm", "sec")
    header["vox_offset"] = len(header.binaryblock) + len(_EXTENSION)
    header["scl_slope"], header["scl_inter"] = 1.0, 0.0
    header["magic"] = header.single_magic
    sform, qform = forms
    if qform is not None:
        _put_qform(header, qform)
    if sform is not None:
        header.set_sform(sform.ras, sform.code)
    return header


def _put_qform(header: Nifti1Header, form: Form) -> None:
    """Store a qform: the numbers of a source file as they are, else those of the matrix."""
    if not form.numbers:
        header.set_qform(form.ras, form.code)
        return
    header["pixdim"][:4] = form.numbers[:4]
    header["quatern_b"], header["quatern_c"], header["quatern_d"] = form.numbers[4:7]
    header["qoffset_x"], header["qoffset_y"], header["qoffset_z"] = form.numbers[7:]
    header["qform_code"] = form.code


def _forms(geometry: Geometry, provenance: Provenance) -> tuple[Form | None, Form | None]:
    """Return sform and qform: those of the source file while they still say where the image lies."""
    if isinstance(provenance, NiftiProvenance) and provenance.format != "Analyze":
        source = _source_geometry(geometry, provenance)
        if source.is_close(geometry, 1e-6 + 1e-3 * min(geometry.spacing_mm)):
            return provenance.sform, provenance.qform
    form = Form(tuple(to_ras(geometry.affine).ravel().tolist()), _SCANNER)
    return form, None if _is_sheared(geometry) else form


def _source_geometry(geometry: Geometry, provenance: NiftiProvenance) -> Geometry:
    """Return where the source file's header puts a grid of this shape."""
    from volumes._nifti.place import from_ras

    form = provenance.sform or provenance.qform
    if form is None:
        return Geometry.from_spacing(geometry.shape, geometry.spacing_mm)
    return Geometry(geometry.shape, from_ras(form.ras))


def _is_sheared(geometry: Geometry) -> bool:
    directions = geometry.directions
    return bool(np.abs(directions.T @ directions - np.eye(3)).max() > _RIGHT_ANGLES)
