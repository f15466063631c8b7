"""Read NIfTI-1, NIfTI-2 and Analyze 7.5."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from volumes._nifti.header import is_nifti, layout_of, parse_header
from volumes._nifti.place import NiftiProvenance, place_of
from volumes._stored_images import Opened, StoredImages
from volumes._voxel_files import VoxelFiles, is_gzip, reading_failed
from volumes.errors import BrokenFile, InvalidGeometry, UnsupportedImage
from volumes.series import ReadOptions, SeriesInfo
from volumes.volume import Volume

__all__ = ["NiftiReader", "open_nifti"]

_VOXEL_ENDINGS = (".img", ".img.gz")
_HEADER_ENDINGS = (".hdr", ".hdr.gz")
_HEAD_BYTES = 4096


@dataclass(frozen=True)
class NiftiReader:
    """NIfTI-1, NIfTI-2 and Analyze 7.5: ``.nii``, ``.nii.gz``, and ``.hdr`` with ``.img``.

    Uncompressed volumes that are large stay in their file. Several times or components are volumes with the
    keys ``"t0"`` …, ``"c0"`` …, ``"c0/t0"`` …
    """

    name: str = "NIfTI"

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether the (uncompressed) first bytes are a header, or the file is the voxels beside one."""
        return is_nifti(head) or _header_beside(path) is not None

    def list_series(self, path: Path, head: bytes) -> tuple[SeriesInfo, ...]:
        """List its volumes; reads no voxels."""
        return open_nifti(path, head).images.list_series()

    def read(self, path: Path, head: bytes, options: ReadOptions) -> Volume:
        """Read one of its volumes.

        Raises
        ------
        VolumeError
            As `parse_header`, `layout_of`, `place_of` and `StoredImages.take`.
        """
        return open_nifti(path, head).read(options)


def open_nifti(path: Path, head: bytes = b"") -> Opened:
    """Read the header, which is left to find where `head` is not its first bytes."""
    header_path = path
    if not is_nifti(head):
        header_path = _header_beside(path) or path
        head = _head_of(header_path)
        if not is_nifti(head):
            raise BrokenFile(f"{header_path} is no NIfTI or Analyze header; get an undamaged copy")
    header, name = parse_header(head, path)
    layout = layout_of(header, path)
    if name == "Analyze" and "r" in layout.axes:
        raise UnsupportedImage(
            f"{path} is Analyze with colours, whose order differs between programs; save it as NIfTI or NRRD"
        )
    voxel_path = _voxel_file(header_path) if layout.is_pair else path
    encoding = "deflate" if is_gzip(voxel_path) else "raw"
    stored = VoxelFiles(path, (voxel_path,), layout.dtype, layout.shape, encoding, skip=layout.offset)
    images = StoredImages(stored, layout.axes, layout.scaling)
    try:
        place = place_of(header, name, images.shape, path)
    except InvalidGeometry as error:
        raise InvalidGeometry(str(error) if str(path) in str(error) else f"{path}: {error}") from error
    notes = (*images.notes, *layout.notes, *place.notes)
    provenance = NiftiProvenance(name, notes=notes, sform=place.sform, qform=place.qform)
    return Opened(images, place.geometry, provenance)


def _swapped(path: Path, endings: tuple[str, ...], others: tuple[str, ...]) -> Path | None:
    """Find the other file of a pair, whatever the case of its suffix; None where there is none."""
    name = path.name
    ending = next((one for one in sorted(endings, key=len)[::-1] if name.lower().endswith(one)), None)
    stem = name[: -len(ending)] if ending else path.stem
    for other in others:
        for spelt in (other, other.upper()):
            candidate = path.with_name(stem + spelt)
            if candidate != path and candidate.is_file():
                return candidate
    return None


def _header_beside(path: Path) -> Path | None:
    """Header of a file that is named as the voxels of a pair."""
    if not path.name.lower().endswith(_VOXEL_ENDINGS):
        return None
    return _swapped(path, _VOXEL_ENDINGS, _HEADER_ENDINGS)


def _voxel_file(header_path: Path) -> Path:
    """File with the voxels of a header.

    Raises
    ------
    BrokenFile
        If it is not there.
    """
    found = _swapped(header_path, _HEADER_ENDINGS, _VOXEL_ENDINGS)
    if found is None:
        raise BrokenFile(
            f"{header_path} keeps its voxels in a .img file, which is not beside it; copy both files together"
        )
    return found


def _head_of(path: Path) -> bytes:
    """First bytes of a header file, unpacked."""
    import gzip
    import zlib

    try:
        if is_gzip(path):
            with gzip.open(path) as packed:
                return packed.read(_HEAD_BYTES)
        with path.open("rb") as stream:
            return stream.read(_HEAD_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BrokenFile(f"{path} is damaged gzip ({error}); get an undamaged copy") from error
    except OSError as error:
        raise reading_failed(path, error) from error
