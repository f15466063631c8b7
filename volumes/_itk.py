"""NIfTI-1, NRRD and MetaImage through SimpleITK: read images, write labels with the source's geometry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volumes._dtypes import compact
from volumes._metaimage_header import check_metaimage, is_metaimage
from volumes._nifti_header import VOXELS_AT, NiftiHeader, check_complete, is_nifti, parse_nifti_header
from volumes._quiet import quiet_stderr
from volumes._replacing import replacing
from volumes.errors import BrokenFile, InvalidGeometry, UnknownFormat, UnsupportedImage, UnwritableOutput
from volumes.geometry import Geometry
from volumes.segments import Segment
from volumes.series import ReadOptions, SeriesInfo, one_series, refuse_series
from volumes.volume import Provenance, Volume

if TYPE_CHECKING:
    import SimpleITK

_SAME_PLACE_MM = 0.01
_ORTHONORMAL_TOLERANCE = 1e-4


@contextmanager
def quiet_sitk() -> Iterator[None]:
    """Keep ITK's warnings off stderr."""
    import SimpleITK

    before = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(before)


def one_line(error: Exception) -> str:
    """Return what ITK says, without its source lines and addresses."""
    return " ".join(str(error).split()).rpartition("ERROR: ")[2]


def read_sitk(path: Path, image_io: str) -> SimpleITK.Image:
    """Read one image of at most three dimensions.

    Raises
    ------
    UnsupportedImage
        If it has more dimensions.
    InvalidGeometry
        If ITK finds its axes not at right angles.
    BrokenFile
        If ITK cannot read it.
    """
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO(image_io)
    reader.SetFileName(str(path))
    try:
        with quiet_sitk():
            reader.ReadImageInformation()
            size = reader.GetSize()
            if max(size[3:], default=1) > 1:
                raise UnsupportedImage(
                    f"{path} has {len(size)} dimensions, {'x'.join(map(str, size))}, "
                    "and this version reads three; save one of its volumes as a 3-D file"
                )
            image: SimpleITK.Image = reader.Execute()
            if len(size) > 3:
                image = SimpleITK.Extract(image, [*size[:3], *[0] * len(size[3:])])
            return image
    except RuntimeError as error:
        if "orthonormal" in str(error):
            raise InvalidGeometry(
                f"{path} has an sform with axes that are not at right angles, and no usable qform; "
                "resample it onto a rectangular grid first"
            ) from error
        raise BrokenFile(f"{path} cannot be read: {one_line(error)}; get an undamaged copy") from error


def geometry_of(image: SimpleITK.Image) -> Geometry:
    """Geometry of a SimpleITK image of two or three dimensions, in array order (plane, row, column)."""
    n_axes = image.GetDimension()
    matrix = np.eye(3)
    matrix[:n_axes, :n_axes] = np.reshape(image.GetDirection(), (n_axes, n_axes)) * image.GetSpacing()
    affine = np.eye(4)
    affine[:3, :3] = matrix[:, ::-1]
    affine[:n_axes, 3] = image.GetOrigin()
    column, row, plane = (*image.GetSize(), 1)[:3]
    return Geometry((plane, row, column), affine)


def voxels_of(image: SimpleITK.Image, path: Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Voxels (P, R, C) or (P, R, C, 3) of a SimpleITK image, and notes on what was left out.

    Raises
    ------
    UnsupportedImage
        If a voxel holds several values that are no colour.
    """
    import SimpleITK

    n_values = image.GetNumberOfComponentsPerPixel()
    data: NDArray[Any] = SimpleITK.GetArrayFromImage(image)
    is_colour = n_values in (3, 4) and data.dtype.kind == "u"
    if data.dtype.kind == "c" or (n_values > 1 and not is_colour):
        raise UnsupportedImage(
            f"{path} holds {image.GetPixelIDTypeAsString()} with {n_values} values a voxel; "
            "save one value a voxel, or RGB of 8 or 16 bits"
        )
    if n_values == 1:
        planes = data if data.ndim == 3 else data[np.newaxis]
        return compact(planes, str(path)), ()
    planes = data if data.ndim == 4 else data[np.newaxis]
    notes = ("alpha was left out",) if n_values == 4 else ()
    return compact(np.ascontiguousarray(planes[..., :3]), str(path)), notes


@dataclass(frozen=True)
class NiftiReader:
    """NIfTI-1: ``.nii``, ``.nii.gz`` and ``.hdr`` with ``.img``."""

    name: str = "NIfTI"

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether the (uncompressed) first bytes are a NIfTI or Analyze header."""
        return is_nifti(head)

    def list_series(self, path: Path, head: bytes) -> tuple[SeriesInfo, ...]:
        """Describe its one volume."""
        return one_series(self.read(path, head, ReadOptions()))

    def read(self, path: Path, head: bytes, options: ReadOptions) -> Volume:
        """Read the file after checking that it is whole."""
        refuse_series(options, path)
        header = parse_nifti_header(head, path)
        _check_name(path)
        check_complete(_voxel_file(path) if header.is_pair else path, header.needed_bytes)
        image = read_sitk(path, "NiftiImageIO")
        data, notes = voxels_of(image, path)
        geometry = geometry_of(image)
        return Volume(
            data, geometry, Provenance(self.name, notes=(*notes, *_orientation_notes(header, geometry)))
        )


def _check_name(path: Path) -> None:
    """Raise BrokenFile where the suffix would mislead ITK about the compression."""
    with path.open("rb") as stream:
        is_gzip = stream.read(2) == b"\x1f\x8b"
    suffixes = (".nii.gz", ".hdr.gz", ".img.gz") if is_gzip else (".nii", ".hdr", ".nii.gz")
    if not path.name.lower().endswith(suffixes):
        kind = "compressed NIfTI" if is_gzip else "NIfTI"
        raise BrokenFile(f"{path} is {kind} by content but not by name; rename it to end in {suffixes[0]}")


def _voxel_file(header_path: Path) -> Path:
    """File with the voxels of a ``.hdr``.

    Raises
    ------
    BrokenFile
        If it is not there.
    """
    stem = (
        header_path.name[: header_path.name.lower().rindex(".hdr")]
        if ".hdr" in header_path.name.lower()
        else header_path.stem
    )
    for suffix in (".img", ".img.gz"):
        candidate = header_path.with_name(stem + suffix)
        if candidate.is_file():
            return candidate
    raise BrokenFile(
        f"{header_path} keeps its voxels in {stem}.img, which is not beside it; copy both files together"
    )


def _orientation_notes(header: NiftiHeader, geometry: Geometry) -> tuple[str, ...]:
    """Say what was assumed about the orientation."""
    if header.sform is None:
        return () if header.has_qform else ("the file holds no orientation; its axes were taken as LPS",)
    if not header.in_millimetres:
        return ()
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ header.sform
    stored = np.column_stack([ras[:, 2], ras[:, 1], ras[:, 0], ras[:, 3]])
    try:
        if Geometry(geometry.shape, stored).is_close(geometry, _SAME_PLACE_MM):
            return ()
    except InvalidGeometry:
        pass
    return (
        "the sform differs from the place that was read (ITK took the qform, or made the axes rectangular)",
    )


@dataclass(frozen=True)
class NrrdReader:
    """NRRD: ``.nrrd`` and ``.nhdr``."""

    name: str = "NRRD"

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether the first bytes are NRRD's."""
        return head.startswith(b"NRRD000")

    def list_series(self, path: Path, head: bytes) -> tuple[SeriesInfo, ...]:
        """Describe its one volume."""
        return one_series(self.read(path, head, ReadOptions()))

    def read(self, path: Path, head: bytes, options: ReadOptions) -> Volume:
        """Read the file."""
        refuse_series(options, path)
        image = read_sitk(path, "NrrdImageIO")
        data, notes = voxels_of(image, path)
        return Volume(data, geometry_of(image), Provenance(self.name, notes=notes))


@dataclass(frozen=True)
class MetaImageReader:
    """MetaImage: ``.mha`` and ``.mhd`` with its raw file."""

    name: str = "MetaImage"

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether the first bytes are a MetaImage header."""
        return is_metaimage(head)

    def list_series(self, path: Path, head: bytes) -> tuple[SeriesInfo, ...]:
        """Describe its one volume."""
        return one_series(self.read(path, head, ReadOptions()))

    def read(self, path: Path, head: bytes, options: ReadOptions) -> Volume:
        """Read the file after checking that it is whole."""
        refuse_series(options, path)
        check_metaimage(path)
        image = read_sitk(path, "MetaImageIO")
        data, notes = voxels_of(image, path)
        return Volume(data, geometry_of(image), Provenance(self.name, notes=notes))


def _check_written(path: Path, temporary: Path, needed_bytes: int) -> None:
    """Raise UnwritableOutput where the disk was full: the NIfTI library then stops without an error."""
    try:
        check_complete(temporary, needed_bytes)
    except BrokenFile as error:
        raise UnwritableOutput(
            f"cannot write {path}: not all of {needed_bytes} bytes could be stored; free disk space"
        ) from error


@dataclass(frozen=True)
class ItkWriter:
    """Labels as NIfTI-1, NRRD or MetaImage."""

    suffixes: tuple[str, ...] = (".nii.gz", ".nii", ".nrrd", ".mha")

    def write(self, path: Path, labels: NDArray[Any], like: Volume, segments: Sequence[Segment]) -> None:
        """Write labels (P, R, C) with the geometry of `like`; compressed but for ``.nii``.

        Raises
        ------
        InvalidGeometry
            If the axes are not at right angles and the format is NIfTI.
        UnwritableOutput
            If the file cannot be written.
        """
        import SimpleITK

        suffix = next((ending for ending in self.suffixes if path.name.lower().endswith(ending)), None)
        if suffix is None:
            raise UnknownFormat(
                f"{path} does not end in one of {', '.join(self.suffixes)}; choose one of them"
            )
        directions = like.geometry.directions[:, ::-1]
        if ".nii" in suffix and np.abs(directions.T @ directions - np.eye(3)).max() > _ORTHONORMAL_TOLERANCE:
            raise InvalidGeometry(
                f"{path} cannot hold axes that are not at right angles; write to .nrrd instead"
            )
        image = SimpleITK.GetImageFromArray(labels)
        image.SetSpacing(like.geometry.spacing_mm[::-1])
        image.SetOrigin(like.geometry.affine[:3, 3].tolist())
        image.SetDirection(directions.ravel().tolist())
        with replacing(path, suffix) as temporary:
            with quiet_sitk(), quiet_stderr():
                SimpleITK.WriteImage(image, str(temporary), suffix != ".nii")
            if ".nii" in suffix:
                _check_written(path, temporary, VOXELS_AT + labels.nbytes)
