from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from numpy.typing import NDArray

import volumes
from napari_sam.cli.segment import describe_object
from napari_sam.core.jobs import Cancel
from napari_sam.core.naming import object_colour
from napari_sam.core.prompts import PointPrompt
from napari_sam.errors import Cancelled, StoreError, UnknownModel
from napari_sam.nodes.image_input import ImageInput
from napari_sam.nodes.models import ModelChoice
from napari_sam.nodes.object_prompts import group_prompts
from napari_sam.nodes.segment import SegmentOptions
from napari_sam.nodes.segment_file import SegmentJob, segment_file
from napari_sam.store.session_file import SessionFolder
from tests.fakes import FakeSegmenter
from volumes import Geometry, LabelVolume, Segment

LEFT = group_prompts(1, "left", [PointPrompt((7, 24, 16))])
RIGHT = group_prompts(2, "right", [PointPrompt((7, 24, 48))])


@pytest.fixture
def job(image: Path, tmp_path: Path) -> SegmentJob:
    return SegmentJob(image, tmp_path / "labels.nii.gz", (LEFT, RIGHT))


def test_labels_lie_where_the_image_does(job: SegmentJob, segmenter: FakeSegmenter) -> None:
    report = segment_file(job)
    image, labels = SimpleITK.ReadImage(str(job.image)), SimpleITK.ReadImage(str(job.labels))
    assert labels.GetSpacing() == image.GetSpacing()
    assert labels.GetOrigin() == image.GetOrigin()
    assert labels.GetDirection() == image.GetDirection()
    written = SimpleITK.GetArrayFromImage(labels)
    assert [np.count_nonzero(written == one.id) for one in report.objects] == [
        one.voxels for one in report.objects
    ]


def test_the_report_file_holds_what_happened(
    job: SegmentJob, segmenter: FakeSegmenter, tmp_path: Path
) -> None:
    job = replace(job, report=tmp_path / "report.json", preview=tmp_path / "preview.png", window="0,1000")
    segment_file(job)
    content = json.loads((tmp_path / "report.json").read_text())
    assert (content["report"], content["version"]) == ("napari-sam report", 1)
    assert content["model"]["name"] == "fake.test"
    assert content["window"] == [0, 1000]
    assert content["geometry"]["spacing_mm"] == pytest.approx([2.0, 0.5, 1.5])
    assert set(content["times"]) == {
        "read_s", "load_model_s", "first_mask_s", "encode_s", "decode_s", "propagate_s", "write_s", "total_s"
    }  # fmt: skip
    assert set(content["cache"]) == {"n_encoded", "ram_hits", "disk_hits"}
    left = content["objects"][0]
    assert (left["id"], left["name"]) == (1, "left")
    assert set(left["towards_first"]) == {"reason", "plane"}
    assert set(left["planes"][0]) == {
        "plane", "state", "reason", "score", "overlap", "area_px", "area_mm2", "seconds",
        "candidate", "candidate_scores",
    }  # fmt: skip
    assert "image.nii" not in json.dumps(content)
    assert (tmp_path / "preview.png").read_bytes().startswith(b"\x89PNG")


def test_an_unknown_model_is_refused_before_anything_is_read(job: SegmentJob) -> None:
    with pytest.raises(UnknownModel):
        segment_file(replace(job, image=Path("nowhere"), model=ModelChoice("no.such")))


def test_a_failure_in_the_end_writes_nothing(
    job: SegmentJob, segmenter: FakeSegmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no picture")

    monkeypatch.setattr("napari_sam.nodes.preview.render_preview", fail)
    with pytest.raises(RuntimeError, match="no picture"):
        segment_file(replace(job, preview=tmp_path / "p.png", report=tmp_path / "r.json"))
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["image.nii.gz"]


def test_a_session_holds_the_same_labels(job: SegmentJob, segmenter: FakeSegmenter, tmp_path: Path) -> None:
    job = replace(job, session=tmp_path / "case.samsession")
    segment_file(job)
    saved = SessionFolder(tmp_path / "case.samsession").load()
    assert np.array_equal(saved.labels, volumes.read(job.labels).data)
    assert not saved.notes
    assert {state.name for state in saved.objects.values()} == {"left", "right"}
    assert saved.model is not None
    assert saved.model.name == "fake.test"


def test_a_session_is_gone_on_with(job: SegmentJob, segmenter: FakeSegmenter, tmp_path: Path) -> None:
    together = segment_file(job)
    once = volumes.read(job.labels).data
    session = tmp_path / "case.samsession"
    segment_file(replace(job, objects=(LEFT,), session=session))
    again = segment_file(replace(job, objects=(RIGHT,), session=session))
    assert again.objects[0].voxels == together.objects[1].voxels
    assert np.array_equal(volumes.read(job.labels).data, once)
    # The same object a second time starts anew, rather than adding to what is there.
    segment_file(replace(job, objects=(RIGHT,), session=session))
    assert np.array_equal(volumes.read(job.labels).data, once)


def test_a_cancelled_job_keeps_its_session_and_writes_no_labels(
    job: SegmentJob, segmenter: FakeSegmenter, tmp_path: Path
) -> None:
    cancel = Cancel()

    def progress(stage: str, n_done: int, n_total: int) -> None:
        if (stage, n_done) == ("right", 3):
            cancel.cancel()

    with pytest.raises(Cancelled):
        segment_file(replace(job, session=tmp_path / "s"), progress=progress, cancel=cancel)
    assert not job.labels.exists()
    saved = SessionFolder(tmp_path / "s").load()
    planes_of = {n: np.count_nonzero((saved.labels == n).any(axis=(1, 2))) for n in (1, 2)}
    assert planes_of == {1: 3, 2: 3}  # objects go plane by plane together


def test_a_crash_loses_no_step(
    job: SegmentJob, segmenter: FakeSegmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log alone brings back what was done where nothing could be saved at the end."""
    saves: list[NDArray[np.uint16]] = []
    save = SessionFolder.save

    def save_but_last(self: SessionFolder, session: object, model: object = None) -> None:
        saves.append(session.labels.copy())  # type: ignore[attr-defined]
        if len(saves) < 2:
            save(self, session, model)  # type: ignore[arg-type]

    monkeypatch.setattr(SessionFolder, "save", save_but_last)
    segment_file(replace(job, session=tmp_path / "s"))
    monkeypatch.undo()
    saved = SessionFolder(tmp_path / "s").load()
    assert not saves[0].any()
    assert np.array_equal(saved.labels, saves[-1])


def test_a_folder_of_something_else_is_refused_before_the_model_is_loaded(
    job: SegmentJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_reached(choice: ModelChoice) -> None:
        raise AssertionError

    monkeypatch.setattr("napari_sam.nodes.segment_file.load_model", not_reached)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").touch()
    with pytest.raises(StoreError):
        segment_file(replace(job, session=tmp_path / "thesis"))
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.tex"]


class TestLabelsToBeginWith:
    @pytest.fixture
    def older(self, truth: NDArray[np.uint16], monkeypatch: pytest.MonkeyPatch) -> ImageInput:
        """Both objects and a third one, as a file has them."""
        labels = truth.copy()
        labels[0, 0, 0] = 9
        segments = (Segment(2, "right", (1, 2, 3), algorithm="by another"), Segment(9, "speck"))
        found = LabelVolume(labels, Geometry.from_spacing(labels.shape), segments)
        monkeypatch.setattr(volumes, "read_labels", lambda path, **_: found, raising=False)
        return ImageInput("older.seg.dcm")

    def test_what_is_left_out_of_them_and_who_has_the_voxels_is_said(
        self,
        image: Path,
        truth: NDArray[np.uint16],
        older: ImageInput,
        segmenter: FakeSegmenter,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        inside = np.argwhere(truth == 2)
        row, column = (int(x) for x in np.median(inside[inside[:, 0] == 7], axis=0)[1:])
        prompts = group_prompts(5, "new", [PointPrompt((7, row, column))])
        job = SegmentJob(image, tmp_path / "o.nii.gz", (prompts,), SegmentOptions(plane_only=True))
        report = segment_file(replace(job, labels_in=older))
        assert (report.objects[0].voxels, report.objects[0].held_by) == (0, (2,))
        assert describe_object(report.objects[0]) == (
            "5 new: nothing, as its voxels belong to 2; clear them there, or prompt elsewhere"
        )
        assert not caplog.messages
        again = group_prompts(2, "right", [PointPrompt((7, row, column))])
        report = segment_file(replace(job, objects=(again,), labels_in=older))
        assert report.objects[0].voxels > 0
        assert report.objects[0].held_by == ()
        assert caplog.messages == ["object 2 of older.seg.dcm is left out, as it is prompted anew"]

    def test_they_stay_but_for_what_is_prompted(
        self,
        image: Path,
        truth: NDArray[np.uint16],
        older: ImageInput,
        segmenter: FakeSegmenter,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        written: list[tuple[NDArray[np.generic], tuple[Segment, ...]]] = []

        def write(
            path: Path, labels: NDArray[np.generic], *, segments: tuple[Segment, ...], **_: object
        ) -> None:
            written.append((labels, segments))

        prompts = group_prompts(1, "left", [PointPrompt((7, 24, 16))])
        job = SegmentJob(image, tmp_path / "o.nii.gz", (prompts,), SegmentOptions(plane_only=True))
        monkeypatch.setattr("napari_sam.nodes.segment_file.check_label_format", lambda *_: None)
        monkeypatch.setattr(volumes, "write", write)
        segment_file(replace(job, labels_in=older))
        ((labels, segments),) = written
        assert np.array_equal(labels == 2, truth == 2)
        assert labels[0, 0, 0] == 9
        assert np.flatnonzero((labels == 1).any(axis=(1, 2))).tolist() == [7]
        left, right, speck = segments
        assert (left.name, left.colour) == ("left", object_colour(1))
        assert "fake.test" in left.algorithm
        assert (right.name, right.colour, right.algorithm) == ("right", (1, 2, 3), "by another")
        assert (speck.value, speck.name) == (9, "speck")
