"""The benchmarks' own reading, which goes without the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks._reading import display_range, to_uint8
from benchmarks._tasks import make_tasks
from napari_sam.core.labelled_folder import list_labelled
from napari_sam.nodes.tasks import TaskLimits
from napari_sam.nodes.tasks import make_tasks as make_tasks_of


def test_a_folder_without_an_index_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="INDEX.tsv"):
        make_tasks(tmp_path)


def test_the_display_range_is_rounded_and_clipped() -> None:
    plane = np.array([[-500, -160, 39, 240, 900]], np.int16)
    low, high = display_range(np.array([-1000, 900], np.int16), "CT")
    assert to_uint8(plane, low, high).tolist() == [[0, 0, 127, 255, 255]]


def test_it_agrees_with_the_packages_reading(shared_data: Path) -> None:
    root = shared_data / "train"
    items = [item for item in list_labelled(root) if "video" in item.kind]
    ours = make_tasks_of(root, items, TaskLimits(per_kind=3, per_item=1))
    theirs = {task.id: task for task in make_tasks(root, per_kind=3, per_item=1)}
    assert ours
    for task in ours:
        assert np.array_equal(task.image, theirs[task.id].image)
        assert np.array_equal(task.mask, theirs[task.id].mask)
