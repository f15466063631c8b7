"""A day's work on a real CT in a real window, killed in the middle: no voxel is lost, none is changed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("napari")
pytest.importorskip("qtpy", exc_type=ImportError)

import volumes
from tests.dicom_phantoms import write_series

pytestmark = [pytest.mark.viewer, pytest.mark.filterwarnings("default")]

ROOT = Path(__file__).parents[2]


def _start(part: str, image: Path, folder: Path, masks: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.plugin.day_of_work", part, str(image), str(folder), str(masks)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NAPARI_CONFIG": str(folder / "napari.yaml")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _until_line(process: subprocess.Popen[str], line: str) -> None:
    for told in process.stdout or ():
        if told.strip() == line:
            return
    _, errors = process.communicate()
    pytest.fail(f"it ended before it said {line!r}:\n{errors[-3000:]}")


def test_no_voxel_is_lost_in_a_day_with_a_crash(shared_data, tmp_path, capsys):
    scan = shared_data / "eval" / "ct3d" / "ts_ct_abdomen.nii.gz"
    masks = scan.with_name("ts_ct_abdomen_seg.nii.gz")
    image = tmp_path / "series"  # as DICOM, for DICOM SEG refers to the images that it was drawn on
    write_series(image, volumes.read(scan))
    morning = _start("morning", image, tmp_path, masks)
    _until_line(morning, "ready")
    morning.send_signal(signal.SIGKILL)
    morning.communicate()
    afternoon = _start("afternoon", image, tmp_path, masks)
    _until_line(afternoon, "done")
    _, errors = afternoon.communicate(timeout=120)
    assert afternoon.returncode == 0, errors[-3000:]

    told = json.loads((tmp_path / "morning.json").read_text())
    work, after = np.load(tmp_path / "morning.npz"), np.load(tmp_path / "afternoon.npz")
    killed = np.load(tmp_path / "killed.npz")["labels"]
    with capsys.disabled():
        for what, gap_s in told["gaps_s"].items():
            sys.stdout.write(f"\nlongest time without an answer, {what}: {gap_s * 1000:.0f} ms")

    # the brush and the point changed their planes and no other
    changed = np.flatnonzero((work["first"] != work["corrected"]).any(axis=(1, 2)))
    assert set(changed.tolist()) <= set(told["planes"])
    assert told["planes"][0] in changed
    # the second object took nothing from the first, which is accepted
    assert np.array_equal(work["before"] == 1, work["corrected"] == 1)
    assert (work["before"] == 2).any()
    # ten steps back and ten forward
    assert np.array_equal(work["redone"], work["before"])
    assert not np.array_equal(work["undone"], work["before"])
    # what was there when the process was killed is there again, with all of its history
    assert np.array_equal(after["restored"], killed)
    assert np.array_equal(killed == 1, work["corrected"] == 1)
    assert np.array_equal(killed == 2, work["before"] == 2)
    assert (killed == 3).any()
    assert not after["emptied"].any()
    assert np.array_equal(after["again"], killed)
    # and it is in both files, voxel by voxel, in the image's geometry
    source = volumes.read(image)
    for name in ("labels.nii.gz", "labels.seg.dcm"):
        saved = volumes.read_labels(tmp_path / name, like=source)
        assert np.array_equal(saved.data, killed), name
        assert saved.geometry.is_close(source.geometry)
