"""Cleaning files of labels: objects apart from each other, in the order asked for, and from the terminal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import volumes
from napari_sam.cli.main import main
from napari_sam.core.clean_steps import CleanStep
from napari_sam.errors import InvalidEdit
from napari_sam.nodes.clean import clean_labels
from volumes import Geometry, Volume

GROW = CleanStep("grow", 2.0)


@pytest.fixture
def holed(truth: NDArray[np.uint16], volume: Volume, tmp_path: Path) -> Path:
    """The two ellipsoids as a file, the first with a hole and an island."""
    labels = truth.copy()
    labels[tuple(np.argwhere(truth == 1).mean(axis=0).astype(int))] = 0
    labels[0, 0, 0] = 1
    path = tmp_path / "labels.nii.gz"
    volumes.write(path, labels, like=volume)
    return path


def test_objects_that_grow_take_free_voxels_only(truth: NDArray[np.uint16], volume: Volume) -> None:
    before = truth.copy()
    grown = clean_labels(truth, volume, [GROW])
    assert np.array_equal(truth, before)
    for value in (1, 2):
        assert (grown[truth == value] == value).all()
        assert np.count_nonzero(grown == value) > np.count_nonzero(truth == value)
    alone = clean_labels(truth, volume.geometry, [GROW], objects=[2])
    assert np.array_equal(alone == 1, truth == 1)


def test_a_value_that_is_not_there_is_said(truth: NDArray[np.uint16], volume: Volume) -> None:
    with pytest.raises(InvalidEdit, match="no voxel has the value 7; the objects are 1, 2"):
        clean_labels(truth, volume, [GROW], objects=[1, 7])


def test_steps_are_done_in_the_order_typed(
    holed: Path, truth: NDArray[np.uint16], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.nii.gz"
    arguments = ["clean", str(holed), "-o", str(out), "--fill-holes", "--islands", "50", "--objects", "1"]
    assert main(arguments) == 0
    assert np.array_equal(volumes.read_labels(out).data, truth)
    assert "1 object 1: " in capsys.readouterr().out
    opened = tmp_path / "opened.nii.gz"
    assert main(["clean", str(holed), "-o", str(opened), "--shrink", "2", "--grow", "2"]) == 0
    closed = tmp_path / "closed.nii.gz"
    assert main(["clean", str(holed), "-o", str(closed), "--grow", "2", "--shrink", "2"]) == 0
    sizes = [np.count_nonzero(volumes.read_labels(path).data == 1) for path in (opened, closed)]
    assert sizes[0] < np.count_nonzero(truth == 1) <= sizes[1]


def test_grey_values_come_from_the_image(holed: Path, image: Path, volume: Volume, tmp_path: Path) -> None:
    out = tmp_path / "out.nii.gz"
    values = np.asarray(volume.data)
    low = float(np.median(values[volumes.read_labels(holed).data > 0]))
    given = ["clean", str(holed), "-o", str(out), "--image", str(image), "--range", f"{low}:"]
    assert main(given) == 0
    left = volumes.read_labels(out).data > 0
    assert np.array_equal(left, (volumes.read_labels(holed).data > 0) & (values >= low))


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "no clean-up is asked for"),
        (["--grow", "-1"], "number above 0"),
        (["--range", "5"], "LO:HI"),
        (["--range", "0:5"], "without an image"),
        (["--objects", "1,x", "--largest"], "list of labels"),
        (["--objects", "0", "--largest"], "background"),
        (["--objects", "4", "--largest"], "no voxel has the value 4"),
        (["--fill-holes", "--shrink", "nan"], "number above 0"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: list[str], part: str, holed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.nii.gz"
    assert main(["clean", str(holed), "-o", str(out), *arguments]) == 2
    error = capsys.readouterr().err
    assert part in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_labels_stay_in_place(holed: Path, tmp_path: Path, volume: Volume) -> None:
    out = tmp_path / "out.nii.gz"
    assert main(["clean", str(holed), "-o", str(out), "--largest"]) == 0
    found = volumes.read_labels(out)
    assert isinstance(found.geometry, Geometry)
    assert found.geometry.is_close(volume.geometry)
