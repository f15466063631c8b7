"""NRRD: spaces, units, kinds, encodings and files beside it, against SimpleITK; segments of 3D Slicer."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from tests.volumes.judges import geometry_of
from volumes import (
    BrokenFile,
    Code,
    InvalidGeometry,
    MixedSeries,
    Segment,
    UnreadableFile,
    UnsupportedImage,
    Volume,
    VolumeError,
    _stored_images,
    list_series,
    read,
    write,
)
from volumes._nrrd.reader import NrrdReader

DATA = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
SPACED = "space: LPS\nspace directions: none (1,0,0) (0,1,0) (0,0,1)"
TIMED = "space: LPS\nspace directions: (1,0,0) (0,1,0) (0,0,1) none\nkinds: domain domain domain time"
FOUR = (
    "space dimension: 4\nspace directions: (1,0,0,0) (0,1,0,0) (0,0,1,0) (0,0,0,1)\nspace origin: (0,0,0,0)"
)
VECTORS = "space directions: (0,1,0) (0.5,0,2) (3,0,0)\nspace origin: (5,6,7)"
SEGMENTS = (
    Segment(
        1, "left|kidney\\", (255, 0, 128), Code("123037004", "SCT", "Anatomical Structure"), algorithm="x 1"
    ),
    Segment(4, "spleen", kind=Code("78961009", "SCT", "Spleen")),
)


def text(more: str, *, sizes: str = "4 3 2", kind: str = "short", encoding: str = "raw") -> bytes:
    n_axes = len(sizes.split())
    return (
        f"NRRD0005\n# a remark\ntype: {kind}\ndimension: {n_axes}\nsizes: {sizes}\nendian: little\n"
        f"encoding: {encoding}\n{more}\n\n"
    ).encode()


@pytest.mark.parametrize(
    "more",
    [
        f"space: left-posterior-superior\n{VECTORS}",
        f"space: RAS\n{VECTORS}",
        f"space: right-anterior-superior\n{VECTORS}",
        f"space: LAS\n{VECTORS}",
        f"space: 3D-right-handed\n{VECTORS}",
        f"space: scanner-xyz\n{VECTORS}",
        f"space dimension: 3\n{VECTORS}",
        "spacings: 1 2 3",
        "spacings: -1 2 3",
        "spacings: 1 2 nan",
        "spacings: 1 2 3\naxis mins: 10 20 30",
        "spacings: 1 2 3\naxis mins: 10 20 30\ncenterings: node node node",
        "spacings: 1 2 3\naxis mins: 10 20 30\ncenterings: cell cell cell",
        "axis mins: 0 0 0\naxis maxs: 4 6 6",
        "kinds: domain domain domain\nspacings: 1 2 3",
    ],
)
def test_the_place_is_simpleitks(more: str, tmp_path: Path) -> None:
    path = tmp_path / "a.nrrd"
    path.write_bytes(text(more) + DATA.tobytes())
    volume, image = read(path), sitk.ReadImage(str(path))
    assert np.array_equal(volume.data, DATA)
    if "maxs" not in more:  # ITK takes the low edges, and leaves the spacing at 1
        assert volume.geometry.is_close(geometry_of(image), 1e-6)
    is_placed = "posterior" in more or "RAS" in more or "LAS" in more or "anterior" in more
    assert bool(volume.provenance.notes) != is_placed


def test_edges_give_the_spacing_where_nothing_else_does(tmp_path: Path) -> None:
    (tmp_path / "a.nrrd").write_bytes(text("axis mins: 0 0 0\naxis maxs: 4 6 6") + DATA.tobytes())
    geometry = read(tmp_path / "a.nrrd").geometry
    assert geometry.spacing_mm == (3.0, 2.0, 1.0)
    assert geometry.index_to_mm((0, 0, 0)) == pytest.approx((0.5, 1.0, 1.5))


@pytest.mark.parametrize(
    "more",
    [f'space: LPS\n{VECTORS}\nspace units: "um" "microns" "µm"', 'spacings: 1 2 3\nunits: "um" "um" "um"'],
)
def test_other_units_become_millimetres(more: str, tmp_path: Path) -> None:
    (tmp_path / "a.nrrd").write_bytes(text(more) + DATA.tobytes())
    volume = read(tmp_path / "a.nrrd")
    assert max(volume.geometry.spacing_mm) == pytest.approx(3e-3)
    assert any("converted to millimetres" in note for note in volume.provenance.notes)


@pytest.mark.parametrize("encoding", ["raw", "gzip", "gz", "bzip2", "ascii", "hex"])
@pytest.mark.parametrize("beside", [True, False])
def test_every_encoding_in_one_file_or_two(encoding: str, beside: bool, tmp_path: Path) -> None:
    plain = DATA.tobytes()
    voxels = {
        "raw": plain, "gzip": gzip.compress(plain), "gz": gzip.compress(plain), "bzip2": bz2.compress(plain),
        "ascii": " ".join(map(str, DATA.ravel())).encode(), "hex": plain.hex().encode(),
    }[encoding]  # fmt: skip
    more = f"space: LPS\n{VECTORS}"
    if beside:
        (tmp_path / "parts").mkdir()
        (tmp_path / "parts" / "a.dat").write_bytes(b"one line\n" * (encoding == "raw") + voxels)
        more += "\ndata file: parts/a.dat" + "\nline skip: 1" * (encoding == "raw")
    (tmp_path / "a.nhdr").write_bytes(text(more, encoding=encoding) + (b"" if beside else voxels))
    volume = read(tmp_path / "a.nhdr")
    assert np.array_equal(volume.data, DATA)
    assert volume.data.dtype == np.int16
    if encoding != "ascii" or beside:
        (tmp_path / "b.nhdr").write_bytes(
            (tmp_path / "a.nhdr").read_bytes()[:-1] if not beside else b"NRRD0005\n"
        )
        with pytest.raises(VolumeError, match=r"copy|mend"):
            read(tmp_path / "b.nhdr")


@pytest.mark.parametrize("where", ["LIST\np1.raw\np0.raw", "p%d.raw 1 0 -1"])
def test_a_file_a_plane(where: str, tmp_path: Path) -> None:
    for number, plane in enumerate(DATA[::-1]):
        (tmp_path / f"p{number}.raw").write_bytes(plane.tobytes())
    (tmp_path / "a.nhdr").write_bytes(text(f"space: LPS\n{VECTORS}\ndata file: {where}"))
    assert np.array_equal(read(tmp_path / "a.nhdr").data, DATA)
    (tmp_path / "p0.raw").unlink()
    with pytest.raises(BrokenFile, match="'p0.raw', which is not beside it"):
        read(tmp_path / "a.nhdr")


@pytest.mark.parametrize(
    "where", ["../secret.raw", "/etc/hostname", "sub/../../secret.raw", "..\\secret.raw", "C:secret.raw",
              "LIST\n../secret.raw", "../s%d.raw 0 1 1"],
)  # fmt: skip
def test_a_header_reads_nothing_outside_its_folder(where: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.raw").write_bytes(DATA.tobytes())
    (tmp_path / "in" / "a.nhdr").write_bytes(text(f"spacings: 1 1 1\ndata file: {where}"))
    with pytest.raises(BrokenFile, match="outside its folder"):
        read(tmp_path / "in" / "a.nhdr")


def test_bytes_may_be_skipped_to_the_last_ones(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(b"123" + DATA.tobytes())
    for skip in ("-1", "3"):
        (tmp_path / "a.nhdr").write_bytes(text(f"spacings: 1 1 1\nbyte skip: {skip}\ndata file: a.raw"))
        assert np.array_equal(read(tmp_path / "a.nhdr").data, DATA)


@pytest.mark.parametrize(
    ("sizes", "more", "keys"),
    [
        ("2 4 3 2", f"{SPACED}\nkinds: vector domain domain domain",
         ["c0", "c1"]),
        ("2 4 3 2", f"{SPACED}\nkinds: list domain domain domain",
         ["t0", "t1"]),
        ("4 3 2 2", TIMED, ["t0", "t1"]),
        ("4 3 2 2", FOUR, ["t0", "t1"]),
        ("4 3 2 2", "spacings: 1 1 1 1", ["t0", "t1"]),
        ("2 4 3 2 2", "kinds: vector domain domain domain list\nspacings: nan 1 1 1 nan",
         ["c0/t0", "c0/t1", "c1/t0", "c1/t1"]),
    ],
)  # fmt: skip
def test_lists_and_vectors_are_volumes_of_their_own(
    sizes: str, more: str, keys: list[str], tmp_path: Path
) -> None:
    lengths = [int(word) for word in sizes.split()]
    data = np.arange(np.prod(lengths), dtype=np.int16).reshape(lengths[::-1])
    (tmp_path / "a.nrrd").write_bytes(text(more, sizes=sizes) + data.tobytes())
    assert [info.key for info in list_series(tmp_path / "a.nrrd")] == keys
    for key in keys:
        part = data
        numbers = {word[0]: int(word[1]) for word in key.split("/")}
        part = part[numbers["t"]] if "t" in numbers and lengths[0] != 2 else part
        if lengths[0] == 2:
            part = part[numbers["t"]] if len(lengths) == 5 else part
            part = part[..., numbers.get("c", numbers.get("t"))]
        assert np.array_equal(read(tmp_path / "a.nrrd", series=key).data, part)
    with pytest.raises(MixedSeries, match=keys[0]):
        read(tmp_path / "a.nrrd")


@pytest.mark.parametrize("kind", ["RGB-color", "vector", "RGBA-color"])
def test_colours(kind: str, tmp_path: Path) -> None:
    n = 4 if "A" in kind else 3
    data = np.arange(n * 24, dtype=np.uint8).reshape(2, 3, 4, n)
    more = f"space: LPS\nspace directions: none (1,0,0) (0,1,0) (0,0,1)\nkinds: {kind} domain domain domain"
    (tmp_path / "a.nrrd").write_bytes(text(more, sizes=f"{n} 4 3 2", kind="uchar") + data.tobytes())
    assert np.array_equal(read(tmp_path / "a.nrrd").data, data[..., :3])


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (text("spacings: 1 1 1", sizes="4 3 0"), BrokenFile, "mend its header"),
        (text("spacings: 1 1 1", sizes="40000 40000 40000"), BrokenFile, "complete copy"),
        (text("spacings: 1 1 1", sizes="40000 40000 40000", encoding="gzip"), BrokenFile, "complete copy"),
        (text("spacings: 1 1 1", sizes="9999 3 2", encoding="gzip"), BrokenFile, "copy"),
        (text("spacings: 1 1"), BrokenFile, "2 spacings for 3 axes"),
        (text("spacings: 0 1 1"), InvalidGeometry, "a.nrrd: .*flat"),
        (text("spacings: x 1 1"), BrokenFile, "no numbers as its spacings"),
        (text("spacings: 1 1 1", kind="block"), UnsupportedImage, "'block'"),
        (text("spacings: 1 1 1", encoding="zstd"), UnsupportedImage, "'zstd'"),
        (text(f"space: above\n{VECTORS}"), BrokenFile, "the space 'above'"),
        (text("space: LPS\nspace directions: (1,0,0) (0,nan,0) (0,0,1)"), InvalidGeometry, "not finite"),
        (text("space: LPS\nspace directions: (1,0,0) (0,1,0)"), BrokenFile, "2 directions for 3 axes"),
        (text("kinds: complex domain domain\nspacings: nan 1 1"), UnsupportedImage, "complex"),
        (text("spacings: 1 1 1").replace(b"endian: little\n", b""), BrokenFile, "little or big"),
        (text("what is this"), BrokenFile, "no field: 'what is this'"),
    ],
)  # fmt: skip
def test_unsound_headers(content: bytes, error: type, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.nrrd").write_bytes(content + DATA.tobytes())
    with pytest.raises(error, match=words) as caught:
        read(tmp_path / "a.nrrd")
    assert ";" in str(caught.value)


def test_a_large_plain_file_is_read_on_demand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.nrrd").write_bytes(text(f"space: LPS\n{VECTORS}") + DATA.tobytes())
    monkeypatch.setattr(_stored_images, "LAZY_BYTES", 10)
    volume = read(tmp_path / "a.nrrd")
    assert volume.is_lazy
    assert np.array_equal(volume.data[:, 1], DATA[:, 1])


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.nrrd").write_bytes(text("spacings: 1 1 1") + DATA.tobytes())
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnreadableFile, match="Permission denied; check its permissions"):
        NrrdReader().read(tmp_path / "a.nrrd", b"NRRD0005", None)  # type: ignore[arg-type]


def test_segments_come_back_as_slicer_keeps_them(image: Volume, tmp_path: Path) -> None:
    labels = np.zeros(image.shape, np.uint8)
    labels[1], labels[2, 1:, 2:] = 1, 4
    path = tmp_path / "a.seg.nrrd"
    write(path, labels, like=image, segments=SEGMENTS)
    assert np.array_equal(read(path).data, labels)
    assert NrrdReader().read_segments(path, b"") == SEGMENTS
    meta = sitk.ReadImage(str(path))
    assert geometry_of(meta).is_close(image.geometry)
    assert meta.GetMetaData("Segment0_Name") == "left|kidney\\"
    assert meta.GetMetaData("Segment0_Color") == "1 0 0.501961"
    assert meta.GetMetaData("Segment1_LabelValue") == "4"
    assert "~SCT^123037004^Anatomical Structure~" in meta.GetMetaData("Segment0_Tags")
    assert [info.description for info in list_series(path)] == ["left|kidney\\, spleen"]


def layered(*values: int) -> bytes:
    keys = "\n".join(
        f"Segment{n}_Name:=part {n}\nSegment{n}_LabelValue:={value}\nSegment{n}_Layer:={n}\n"
        f"Segment{n}_Color:=0 2 0"
        for n, value in enumerate(values)
    )
    more = (
        "space: LPS\nspace directions: none (1,0,0) (0,1,0) (0,0,1)\nkinds: list domain domain domain\n"
        + keys
    )
    layers = np.stack([np.where(10 * (n + 1) < DATA, value, 0) for n, value in enumerate(values)], -1)
    return text(more, sizes=f"{len(values)} 4 3 2", kind="uchar") + layers.astype(np.uint8).tobytes()


def test_overlapping_segments_are_layers_that_are_read_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "a.seg.nrrd"
    path.write_bytes(layered(1, 1))
    with pytest.raises(MixedSeries, match="s0 .part 0.*s1 .part 1"):
        read(path)
    assert np.array_equal(read(path, series="s1").data, DATA > 20)
    assert NrrdReader().read_segments(path, b"") == ()  # 1 is either, by layer
    path.write_bytes(layered(1, 2))
    assert NrrdReader().read_segments(path, b"") == (Segment(1, "part 0"), Segment(2, "part 1"))
