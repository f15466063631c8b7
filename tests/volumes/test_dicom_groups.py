"""Which planes of a DICOM folder make which volume, and how the volumes are called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

import volumes
from volumes import list_series, read
from volumes._dicom.spacing import is_even, position_ids

Make = Callable[..., Path]
N_PLACES = 4


def repeated(n_repeats: int, n_places: int = N_PLACES) -> list[tuple[float, float, float]]:
    """Positions of a series in which each place comes `n_repeats` times, one volume after the other."""
    return [(0.0, 0.0, 3.0 * place) for _ in range(n_repeats) for place in range(n_places)]


def repeat_of(index: int) -> int:
    return index // N_PLACES


SPLITS: dict[str, tuple[Callable[[int], dict[str, Any]], list[str], str]] = {
    "echo number": (lambda at: {"EchoNumbers": 1 + repeat_of(at)}, ["3/e1", "3/e2"], "echo 2"),
    "echo time": (
        lambda at: {"EchoTime": 90 - 60 * repeat_of(at), "EchoNumbers": 1},
        ["3/e1", "3/e2"],
        "echo time 90 ms",
    ),
    "b-value": (lambda at: {"DiffusionBValue": 1000.0 * repeat_of(at)}, ["3/b0", "3/b1000"], "b 1000 s/mm2"),
    "gradient": (
        lambda at: {
            "DiffusionBValue": 1000.0,
            "DiffusionGradientOrientation": [float(repeat_of(at)), 1.0 - repeat_of(at), 0.0],
        },
        ["3/g0", "3/g1"],
        "gradient 1",
    ),
    "temporal position": (
        lambda at: {"TemporalPositionIdentifier": 5 + repeat_of(at)},
        ["3/t0", "3/t1"],
        "1",
    ),
    "acquisition": (lambda at: {"AcquisitionNumber": 7 + repeat_of(at)}, ["3/a7", "3/a8"], "acquisition 8"),
    "image type": (
        lambda at: {"ImageType": ["ORIGINAL", "PRIMARY", "MP"[repeat_of(at)]]},
        ["3/i0", "3/i1"],
        "type P",
    ),
    "trigger time": (
        lambda at: {"TriggerTime": 400.0 * repeat_of(at) + at},
        ["3/t0", "3/t1"],
        "trigger 404 ms",
    ),
    "acquisition time": (
        lambda at: {"AcquisitionTime": f"1{repeat_of(at)}0000.{at}"},
        ["3/t0", "3/t1"],
        "time 1",
    ),
}


@pytest.mark.parametrize("name", SPLITS)
def test_repeats_are_split_by_the_tag_that_tells_them_apart(name: str, make_series: Make) -> None:
    each, keys, words = SPLITS[name]
    folder = make_series(repeated(2), each=each, SeriesNumber=3)
    found = list_series(folder)
    assert [info.key for info in found] == keys
    assert found[1].description.endswith(words)
    assert {info.shape for info in found} == {(N_PLACES, 5, 6)}
    with pytest.raises(volumes.MixedSeries, match=f"KEY: {keys[0]} "):
        read(folder)
    for key in keys:
        volume = read(folder, series=key)
        first = int(volume.data[0, 0, 0]) + 24
        assert volume.data[:, 0, 0].tolist() == [first - 24 + place for place in range(N_PLACES)]
        assert volume.geometry.spacing_mm[0] == 3.0
    assert {int(read(folder, series=key).data[0, 0, 0]) + 24 for key in keys} == {0, N_PLACES}


def test_echoes_and_times_make_a_key_of_two_parts(make_series: Make) -> None:
    folder = make_series(
        repeated(6),
        each=lambda at: {
            "EchoNumbers": 1 + repeat_of(at) // 3,
            "TemporalPositionIdentifier": 1 + repeat_of(at) % 3,
        },
        SeriesNumber=3,
    )
    keys = [f"3/e{echo}/t{time}" for echo in (1, 2) for time in (0, 1, 2)]
    assert [info.key for info in list_series(folder)] == keys
    assert [int(read(folder, series=key).data[0, 0, 0]) for key in keys] == [-24 + 4 * at for at in range(6)]


def test_diffusion_without_and_with_directions(make_series: Make) -> None:
    def each(at: int) -> dict[str, Any]:
        direction = {1: [1.0, 0.0, 0.0], 2: [0.0, 1.0, 0.0]}.get(repeat_of(at))
        own: dict[str, Any] = {"DiffusionBValue": 1000.0 if direction else 0.0}
        return {**own, "DiffusionGradientOrientation": direction} if direction else own

    folder = make_series(repeated(3), each=each, SeriesNumber=3)
    assert [info.key for info in list_series(folder)] == ["3/b0", "3/b1000/g0", "3/b1000/g1"]


def test_long_and_almost_equal_numbers_keep_keys_of_their_own(make_series: Make) -> None:
    long = make_series(
        repeated(2), each=lambda at: {"AcquisitionNumber": 20_230_101 + repeat_of(at)}, SeriesNumber=3
    )
    assert [info.key for info in list_series(long)] == ["3/a20230101", "3/a20230102"]
    near = make_series(
        repeated(2),
        folder="near",
        each=lambda at: {"DiffusionBValue": 1000.0001 + 0.0001 * repeat_of(at)},
        SeriesNumber=3,
    )
    assert [info.key for info in list_series(near)] == ["3/b1000/1", "3/b1000/2"]


def test_repeats_without_a_tag_are_taken_by_number_with_a_note(make_series: Make) -> None:
    folder = make_series(repeated(2), SeriesNumber=3)
    assert [info.key for info in list_series(folder)] == ["3/t0", "3/t1"]
    volume = read(folder, series="3/t1")
    assert volume.data[:, 0, 0].tolist() == [-20, -19, -18, -17]
    assert any("order of their numbers" in note for note in volume.provenance.notes)


def test_a_tag_that_differs_from_plane_to_plane_splits_nothing(make_series: Make) -> None:
    folder = make_series(
        [(0, 0, 2 * z) for z in range(6)],
        each=lambda at: {"AcquisitionNumber": at, "AcquisitionTime": f"10000{at}", "EchoNumbers": at},
    )
    assert read(folder).shape == (6, 5, 6)


def test_a_split_that_leaves_uneven_stacks_is_passed_over(make_series: Make) -> None:
    """Acquisition numbers that run across the volumes would tear them; the temporal position does not."""
    folder = make_series(
        repeated(2),
        each=lambda at: {
            "AcquisitionNumber": 1 + (at in (0, 5, 2, 3)),
            "ImageType": ["ORIGINAL", "PRIMARY", "AB"[repeat_of(at)]],
        },
        SeriesNumber=3,
    )
    keys = [info.key for info in list_series(folder)]
    assert all(read(folder, series=key).shape == (N_PLACES, 5, 6) for key in keys)


def test_two_acquisitions_with_a_gap_are_two_volumes(make_series: Make) -> None:
    places = [0, 2, 4, 6, 30, 32, 34]
    folder = make_series(
        [(0, 0, z) for z in places], each=lambda at: {"AcquisitionNumber": 1 + at // 4}, SeriesNumber=3
    )
    assert [(info.key, info.shape[0]) for info in list_series(folder)] == [("3/a1", 4), ("3/a2", 3)]
    assert read(folder, series="3/a2").geometry.index_to_mm((0, 0, 0))[2] == 30


def test_copies_are_left_out_with_a_note(make_series: Make) -> None:
    folder = make_series([(0, 0, 2 * z) for z in range(4)])
    for file in list(folder.iterdir())[:2]:
        (folder / f"copy of {file.name}").write_bytes(file.read_bytes())
    volume = read(folder)
    assert volume.shape == (4, 5, 6)
    assert "copies of other files were left out: 2" in volume.provenance.notes


def test_one_instance_uid_on_every_plane_drops_none(make_series: Make) -> None:
    assert read(make_series([(0, 0, 2 * z) for z in range(4)], SOPInstanceUID="1.2.3")).shape == (4, 5, 6)


def test_keys_where_numbers_clash_or_lack(make_series: Make) -> None:
    for uid, tags in (("1.5", {"SeriesNumber": 2}), ("1.4", {"SeriesNumber": 2}), ("1.3", {}), ("1.2", {})):
        make_series([(0, 0, 0), (0, 0, 2)], uid=uid, **tags)
    folder = make_series([(0, 0, 0)], uid="1.1", SeriesNumber=10)
    found = list_series(folder)
    assert [info.key for info in found] == ["2-1", "2-2", "10", "u1", "u2"]
    assert [info.series_uid for info in found] == ["1.4", "1.5", "1.1", "1.2", "1.3"]
    assert read(folder, series="1.5").provenance.series_uid == "1.5"


def test_a_localiser_in_three_directions_is_three_volumes(make_series: Make) -> None:
    directions = [[1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1], [1, 0, 0, 0, 0, -1]]
    normals = [(0, 0, 1), (-1, 0, 0), (0, 1, 0)]
    folder = make_series(
        [tuple(10 * (at % 3) * value for value in normals[at // 3]) for at in range(9)],
        each=lambda at: {"ImageOrientationPatient": directions[at // 3]},
        SeriesNumber=1,
    )
    assert [info.key for info in list_series(folder)] == ["1/1", "1/2", "1/3"]
    assert {read(folder, series=f"1/{part}").geometry.spacing_mm[0] for part in (1, 2, 3)} == {10.0}


def test_views_and_films_are_never_one_volume(make_series: Make) -> None:
    views = make_series([None, None], folder="views", Modality="DX", ImageOrientationPatient=None)
    assert [info.shape for info in list_series(views)] == [(1, 5, 6)] * 2
    films = make_series([None, None], folder="films", Modality="US", ImageOrientationPatient=None)
    for file in films.iterdir():
        dataset = pydicom.dcmread(file)
        dataset.NumberOfFrames, dataset.PixelData = 3, dataset.PixelData * 3
        dataset.save_as(file)
    assert [info.shape for info in list_series(films)] == [(3, 5, 6)] * 2


def test_a_mosaic_is_refused(make_series: Make) -> None:
    folder = make_series([(0, 0, 0)], Modality="MR", ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"])
    with pytest.raises(volumes.UnsupportedImage, match="mosaic"):
        read(folder)


def enhanced(file: Path, frames: list[dict[str, Any]]) -> Path:
    """Turn a file of one plane into an enhanced one; frame i holds 30 * i."""
    dataset = pydicom.dcmread(file)
    dataset.NumberOfFrames = len(frames)
    dataset.PixelData = np.repeat(30 * np.arange(len(frames), dtype=np.uint16), 30).tobytes()
    groups = []
    for values in frames:
        group = Dataset()
        for macro, elements in values.items():
            item = Dataset()
            for keyword, value in elements.items():
                setattr(item, keyword, value)
            setattr(group, macro, Sequence([item]))
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(groups)
    dataset.save_as(file)
    return file


FRAME_TAGS: dict[str, tuple[Callable[[int], dict[str, Any]], list[str]]] = {
    "stack": (lambda at: {"FrameContentSequence": {"StackID": "AB"[at]}}, ["3/s0", "3/s1"]),
    "time": (lambda at: {"FrameContentSequence": {"TemporalPositionIndex": 1 + at}}, ["3/t0", "3/t1"]),
    "echo": (lambda at: {"MREchoSequence": {"EffectiveEchoTime": 10.0 + at}}, ["3/e1", "3/e2"]),
    "b-value": (lambda at: {"MRDiffusionSequence": {"DiffusionBValue": 500.0 * at}}, ["3/b0", "3/b500"]),
    "frame type": (
        lambda at: {"MRImageFrameTypeSequence": {"FrameType": ["ORIGINAL", "PRIMARY", "MP"[at]]}},
        ["3/i0", "3/i1"],
    ),
    "dimension": (
        lambda at: {"FrameContentSequence": {"DimensionIndexValues": [1, 4 + at]}},
        ["3/d4", "3/d5"],
    ),
    "nothing": (lambda at: {}, ["3/t0", "3/t1"]),
}


@pytest.mark.parametrize("name", FRAME_TAGS)
def test_frames_are_grouped_as_files_are(name: str, make_series: Make) -> None:
    tags, keys = FRAME_TAGS[name]
    frames = [
        {"PlanePositionSequence": {"ImagePositionPatient": [0, 0, 2.0 * place]}, **tags(repeat)}
        for place in range(3)
        for repeat in range(2)
    ]
    file = enhanced(next(make_series([(0, 0, 0)], SeriesNumber=3).iterdir()), frames)
    assert [info.key for info in list_series(file)] == keys
    second = read(file, series=keys[1])
    assert ((second.data[:, 0, 0].astype(int) + 1024) // 30).tolist() == [1, 3, 5]
    assert [source and source.frame for source in second.provenance.sources] == [1, 3, 5]


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=40),
    st.floats(0.3, 20),
    st.randoms(use_true_random=False),
)
def test_positions_are_counted_in_order(places: list[int], step_mm: float, random: Any) -> None:
    random.shuffle(places)
    ids = position_ids(np.array(places) * step_mm)
    assert [sorted(set(places)).index(place) for place in places] == ids.tolist()


@given(st.integers(1, 50), st.floats(0.3, 20), st.floats(-900, 900))
def test_rounded_even_positions_are_even(n_planes: int, step_mm: float, start_mm: float) -> None:
    assert is_even(np.round(start_mm + step_mm * np.arange(n_planes), 2))
