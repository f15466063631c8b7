"""Small files of every format that is read, written by other libraries, to be damaged."""

from __future__ import annotations

import csv
import gc
import gzip
import io
import itertools
import json
import shutil
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import UUID

import nibabel
import numpy as np
import SimpleITK
import tifffile
from PIL import Image

from benchmarks._fuzz_dicom_planes import SHAPE_HW, plane, saved
from benchmarks._fuzz_dicom_seeds import dicom_seeds

_LARGEST_REAL_BYTES = 400_000
_VOXELS = np.random.default_rng(0).integers(0, 1000, (5, 14, 18)).astype(np.int16)
_GREY = (_VOXELS[0] % 256).astype(np.uint8)
_COLOUR = np.random.default_rng(1).integers(0, 256, (14, 18, 3)).astype(np.uint8)


@dataclass(frozen=True)
class Seed:
    """Sound files in a folder of their own; the reader gets `entry`, or all where that is empty."""

    format: str
    name: str
    folder: str
    entry: str

    @property
    def path(self) -> Path:
        """What a reader gets."""
        return Path(self.folder, self.entry)

    @property
    def files(self) -> list[Path]:
        """All files, relative to the folder, in order."""
        root = Path(self.folder)
        return sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file())


def make_seeds(root: Path, data: Path | None = None, only: Sequence[str] = ()) -> list[Seed]:
    """Write the seeds, and copies of small real files where a folder with them is given.

    Where formats are named, only their seeds are listed. The list is kept in ``root/seeds.json`` for
    `load_seeds`.
    """
    seeds: list[Seed] = []

    def folder(format_: str, name: str, entry: str) -> Path:
        place = root / format_.replace(" ", "-") / name
        place.mkdir(parents=True)
        seeds.append(Seed(format_, name, str(place), entry))
        return place / entry

    scratch = root / "scratch"
    scratch.mkdir(parents=True)
    for format_, group in dicom_seeds(scratch).items():
        for name, content in group.items():
            folder(format_, name, f"{name}.dcm").write_bytes(content)
    for format_, write in _WRITERS:
        write(lambda name, entry, format_=format_: folder(format_, name, entry))
    if data is not None:
        _copy_real(data, folder)
    shutil.rmtree(scratch)
    seeds = [one for one in seeds if not only or one.format in only]
    (root / "seeds.json").write_text(json.dumps([asdict(seed) for seed in seeds]), encoding="utf-8")
    return seeds


def load_seeds(root: Path) -> list[Seed]:
    """Return the seeds that were made there."""
    return [Seed(**one) for one in json.loads((root / "seeds.json").read_text(encoding="utf-8"))]


Place = Callable[[str, str], Path]


def _series(place: Place) -> None:
    """Write DICOM folders: a series, and two series."""
    where = place("series", "")
    for number in range(1, 5):
        (where / f"{number}.dcm").write_bytes(saved(plane(number)))
    where = place("mixed", "")
    for number in range(1, 7):
        tags = {"SeriesInstanceUID": f"1.2.826.0.1.7351.99.{number % 2}", "SeriesNumber": number % 2}
        (where / f"{number}.dcm").write_bytes(saved(plane(number, **tags)))


def _directory(place: Place) -> None:
    from pydicom.fileset import FileSet

    target = place("dicomdir", "DICOMDIR").parent
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ResourceWarning
        )  # pydicom leaves its folders to the garbage collector
        fileset = FileSet()
        fileset.UID = "1.2.826.0.1.7351.99.77"
        for number in range(1, 4):
            fileset.add(plane(number))
        fileset.write(target)
        del fileset
        gc.collect()


def _zip(place: Place) -> None:
    with zipfile.ZipFile(place("dicom", "series.zip"), "w", zipfile.ZIP_DEFLATED) as packed:
        for number in range(1, 5):
            packed.writestr(zipfile.ZipInfo(f"a/{number}.dcm", (1980, 1, 1, 0, 0, 0)), saved(plane(number)))


def _nifti(place: Place) -> None:
    affine = np.array([[0, -2.0, 0, 5], [1.5, 0, 0, 7], [0, 0, 3, -9], [0, 0, 0, 1]])
    data = _VOXELS.T
    rgb = np.zeros(data.shape, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    images = {
        "one": nibabel.Nifti1Image(data, affine),
        "scaled": nibabel.Nifti1Image(data, affine),
        "time": nibabel.Nifti1Image(np.repeat(data[..., None], 2, axis=3), affine),
        "colour": nibabel.Nifti1Image(rgb, affine),
        "float": nibabel.Nifti1Image(data.astype(np.float32), affine),
    }
    images["scaled"].header.set_slope_inter(1.5, -3)
    for name, image in images.items():
        place(name, "a.nii").write_bytes(image.to_bytes())
    place("two", "a.nii").write_bytes(nibabel.Nifti2Image(data, affine).to_bytes())
    place("gzip", "a.nii.gz").write_bytes(gzip.compress(images["one"].to_bytes(), mtime=0))
    nibabel.Nifti1Pair(data, affine).to_filename(place("pair", "a.hdr"))
    nibabel.Spm99AnalyzeImage(data, np.diag([2.0, 3, 4, 1])).to_filename(place("analyze", "a.hdr"))


def _mgh(place: Place) -> None:
    image = nibabel.MGHImage(_VOXELS.T.astype(np.float32), np.diag([1.0, 2, 3, 1]))
    place("mgh", "a.mgh").write_bytes(image.to_bytes())
    place("mgz", "a.mgz").write_bytes(gzip.compress(image.to_bytes(), mtime=0))


def _nrrd(place: Place) -> None:
    image = _sitk()
    SimpleITK.WriteImage(image, str(place("raw", "a.nrrd")), False)
    SimpleITK.WriteImage(image, str(place("gzip", "a.nrrd")), True)
    SimpleITK.WriteImage(image, str(place("detached", "a.nhdr")), False)
    SimpleITK.WriteImage(
        SimpleITK.GetImageFromArray(_COLOUR, isVector=True), str(place("colour", "a.nrrd")), True
    )


def _metaimage(place: Place) -> None:
    image = _sitk()
    SimpleITK.WriteImage(image, str(place("raw", "a.mha")), False)
    SimpleITK.WriteImage(image, str(place("zlib", "a.mha")), True)
    SimpleITK.WriteImage(image, str(place("detached", "a.mhd")), False)


def _sitk() -> SimpleITK.Image:
    image = SimpleITK.GetImageFromArray(_VOXELS)
    image.SetSpacing((0.5, 0.75, 2.0))
    image.SetOrigin((1.0, -2.0, 3.0))
    return image


def _tiff(place: Place) -> None:
    tifffile.imwrite(place("plain", "a.tif"), _VOXELS)
    tifffile.imwrite(place("zlib", "a.tif"), _VOXELS, compression="zlib", predictor=True)
    tifffile.imwrite(place("tiles", "a.tif"), _VOXELS, tile=(16, 16), bigtiff=True, byteorder=">")
    tifffile.imwrite(place("colour", "a.tif"), _COLOUR, photometric="rgb")
    tifffile.imwrite(
        place("planar", "a.tif"), _COLOUR.transpose(2, 0, 1).copy(), photometric="rgb", planarconfig=2
    )
    stack = np.stack([_VOXELS.astype(np.uint16)] * 2, axis=1)
    tifffile.imwrite(
        place("imagej", "a.tif"), stack, imagej=True, metadata={"axes": "ZCYX", "spacing": 2.0, "unit": "um"}
    )
    ome = {
        "axes": "ZCYX",
        "PhysicalSizeX": 0.5,
        "PhysicalSizeY": 0.5,
        "PhysicalSizeZ": 2.0,
        "UUID": f"urn:uuid:{UUID(int=7)}",
    }
    tifffile.imwrite(place("ome", "a.ome.tif"), stack, ome=True, metadata=ome)


def _picture(place: Place) -> None:
    for suffix, array in itertools.product(("png", "jpg", "bmp", "webp", "gif"), (_GREY, _COLOUR)):
        name = f"{suffix}-{'grey' if array.ndim == 2 else 'colour'}"
        Image.fromarray(array).save(place(name, f"a.{suffix}"))
    Image.fromarray(_VOXELS[0].astype(np.uint16)).save(place("png-16", "a.png"))
    frames = [Image.fromarray((plane_ % 256).astype(np.uint8)) for plane_ in _VOXELS]
    frames[0].save(place("gif-film", "a.gif"), save_all=True, append_images=frames[1:], duration=40)
    frames[0].save(place("webp-film", "a.webp"), save_all=True, append_images=frames[1:], duration=40)
    where = place("numbered", "")
    for number, frame in enumerate(frames):
        frame.save(where / f"{number}.png")


def _zarr(place: Place) -> None:
    import zarr

    for version in (2, 3):
        group = zarr.open_group(place(f"ome-{version}", "a.ome.zarr"), mode="w", zarr_format=version)
        scales = []
        for level in range(2):
            data = np.stack([_VOXELS[:, :: 1 + level, :: 1 + level]] * 2)
            keys = {"dimension_names": list("czyx")} if version == 3 else {}
            group.create_array(str(level), data=data, chunks=(1, 2, 7, 7), **keys)
            scale = [1.0, 2.0, 0.5 * (1 + level), 0.5 * (1 + level)]
            scales.append(
                {"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]}
            )
        axes = [
            {"name": "c", "type": "channel"},
            *({"name": n, "type": "space", "unit": "micrometer"} for n in "zyx"),
        ]
        multiscales = [{"version": "0.4", "name": "seed", "axes": axes, "datasets": scales}]
        if version == 2:
            group.attrs["multiscales"] = multiscales
        else:
            group.attrs["ome"] = {"version": "0.5", "multiscales": multiscales}
    zarr.save_array(str(place("plain", "a.zarr")), _VOXELS)


def _numpy(place: Place) -> None:
    np.save(place("npy", "a.npy"), _VOXELS)
    np.savez_compressed(place("npz", "a.npz"), image=_VOXELS)


def _coco(place: Place) -> None:
    """Write labels of the DICOM series' first plane as COCO JSON: runs, and an outline."""
    rows, columns = SHAPE_HW
    runs = {"size": [rows, columns], "counts": [3 * rows + 4, 9, rows - 9, 9, rows * columns - 4 * rows - 13]}
    outline = [[4.0, 5.0, 20.0, 5.0, 20.0, 25.0, 4.0, 25.0]]
    shared = {"image_id": 1, "iscrowd": 0, "bbox": [4, 5, 16, 20], "area": 320}
    made = {
        "images": [{"id": 1, "file_name": "plane0000.png", "height": rows, "width": columns}],
        "categories": [{"id": 1, "name": "organ", "supercategory": ""}],
        "annotations": [
            {"id": 1, "category_id": 1, "segmentation": runs, **shared},
            {"id": 2, "category_id": 1, "segmentation": outline, **shared},
        ],
    }
    place("coco", "a.json").write_text(json.dumps(made), encoding="utf-8")


def _film(place: Place) -> None:
    try:
        import av
    except ImportError:
        return
    for suffix, codec in (("mp4", "mpeg4"), ("avi", "mjpeg"), ("mov", "mpeg4"), ("webm", "libvpx")):
        target = io.BytesIO()
        with av.open(target, "w", format=suffix, options={"fflags": "+bitexact"}) as film:
            stream = film.add_stream(codec, rate=10)
            stream.width, stream.height = 64, 48
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for number in range(6):
                pixels = np.full((48, 64, 3), 30 * number, np.uint8)
                film.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            film.mux(stream.encode())
        place(suffix, f"a.{suffix}").write_bytes(target.getvalue())


_WRITERS: tuple[tuple[str, Callable[[Place], None]], ...] = (
    ("DICOM folder", _series), ("DICOMDIR", _directory), ("zip", _zip), ("NIfTI and Analyze", _nifti),
    ("MGH", _mgh), ("NRRD", _nrrd), ("MetaImage", _metaimage),
    ("TIFF", _tiff), ("picture", _picture), ("Zarr", _zarr),
    ("NumPy", _numpy), ("film", _film), ("COCO", _coco),
)  # fmt: skip


def _copy_real(data: Path, folder: Callable[[str, str, str], Path]) -> None:
    """Copy the small files of the zoos under ``data``."""
    for zoo, format_ in (("dicom_zoo", "real DICOM"), ("format_zoo", "real others")):
        index = data / zoo / "INDEX.tsv"
        if not index.is_file():
            continue
        with index.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
        for number, row in enumerate(rows):
            source = data / zoo / row["path"]
            if source.is_file() and source.stat().st_size <= _LARGEST_REAL_BYTES:
                shutil.copyfile(source, folder(format_, f"{number:03}-{source.stem}", source.name))
