"""What every reader keeps to, run by each of them and by a fake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import tifffile
from PIL import Image

from volumes import Geometry, Provenance, Volume, VolumeError, formats, read
from volumes._dicom.series import DicomReader
from volumes._image2d import PictureReader
from volumes._metaimage import MetaImageReader
from volumes._mgh import MghReader
from volumes._nifti.reader import NiftiReader
from volumes._nrrd.reader import NrrdReader
from volumes._numpy import NumpyReader
from volumes._tiff import TiffReader
from volumes.series import ReadOptions, SeriesInfo, one_series

HEAD_BYTES = 4096
PLANES = np.arange(24, dtype=np.int16).reshape(2, 3, 4)


@dataclass(frozen=True)
class FakeReader:
    name: str = "fake"

    def claims(self, path: Path, head: bytes) -> bool:
        return head.startswith(b"FAKE")

    def list_series(self, path: Path, head: bytes) -> tuple[SeriesInfo, ...]:
        return one_series(self.read(path, head, ReadOptions()))

    def read(self, path: Path, head: bytes, options: ReadOptions) -> Volume:
        if len(head) < 8:
            raise VolumeError(f"{path} is cut off; get a complete copy")
        return Volume(PLANES, Geometry.from_spacing(PLANES.shape), Provenance(self.name))


def write_with_sitk(path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(PLANES), str(path))


def write_dicom(path: Path) -> None:
    image = sitk.GetImageFromArray(PLANES.astype(np.uint16)[:1])
    sitk.WriteImage(image, str(path))


def write_mgh(path: Path) -> None:
    path.write_bytes(nibabel.MGHImage(PLANES.T, np.eye(4)).to_bytes())


def write_npy(path: Path) -> None:
    with path.open("wb") as stream:
        np.save(stream, PLANES)


def write_fake(path: Path) -> None:
    path.write_bytes(b"FAKE and more")


def write_tiff(path: Path) -> None:
    tifffile.imwrite(path, PLANES, photometric="minisblack")


def write_png(path: Path) -> None:
    Image.fromarray(PLANES[0].astype(np.uint8)).save(path)


CASES: list[tuple[formats.Reader, str, Callable[[Path], None]]] = [
    (FakeReader(), "a.fake", write_fake),
    (NiftiReader(), "a.nii", write_with_sitk),
    (NrrdReader(), "a.nrrd", write_with_sitk),
    (MghReader(), "a.mgh", write_mgh),
    (NumpyReader(), "a.npy", write_npy),
    (MetaImageReader(), "a.mha", write_with_sitk),
    (TiffReader(), "a.tif", write_tiff),
    (PictureReader(), "a.png", write_png),
    (DicomReader(), "a.dcm", write_dicom),
]


@pytest.mark.parametrize(("reader", "name", "make"), CASES, ids=[case[0].name for case in CASES])
class TestReaderContract:
    def test_reads_what_it_claims(
        self, reader: formats.Reader, name: str, make: Callable[[Path], None], tmp_path: Path
    ) -> None:
        path = tmp_path / name
        make(path)
        head = path.read_bytes()[:HEAD_BYTES]
        assert reader.claims(path, head)
        volume = reader.read(path, head, ReadOptions())
        assert volume.data.shape == volume.geometry.shape
        assert volume.data.dtype.isnative
        assert volume.provenance.format
        assert np.array_equal(volume.data, PLANES[: volume.shape[0]])
        assert [info.shape for info in reader.list_series(path, head)] == [volume.shape]

    def test_claims_nothing_else(
        self, reader: formats.Reader, name: str, make: Callable[[Path], None], tmp_path: Path
    ) -> None:
        make(tmp_path / name)
        head = (tmp_path / name).read_bytes()[:HEAD_BYTES]
        others = [other for other, _, _ in CASES if other.name != reader.name]
        assert not [other.name for other in others if other.claims(tmp_path / name, head)]
        for foreign in (b"", b"text", b"\0" * HEAD_BYTES, b"PK\x03\x04" + b"\0" * 200):
            assert not reader.claims(tmp_path / name, foreign)

    def test_a_truncated_file_is_a_volume_error(
        self, reader: formats.Reader, name: str, make: Callable[[Path], None], tmp_path: Path
    ) -> None:
        path = tmp_path / name
        make(path)
        whole = path.read_bytes()
        keep = 6 if isinstance(reader, FakeReader) else len(whole) - 30
        path.write_bytes(whole[:keep])
        with pytest.raises(VolumeError, match=r"copy|undamaged"):
            reader.read(path, path.read_bytes()[:HEAD_BYTES], ReadOptions())


@pytest.mark.parametrize(("reader", "name", "make"), CASES[1:], ids=[case[0].name for case in CASES[1:]])
def test_the_name_proves_nothing(
    reader: formats.Reader, name: str, make: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / name
    make(path)
    path = path.rename(tmp_path / "unnamed")
    assert read(path).shape[1:] == PLANES.shape[1:]
