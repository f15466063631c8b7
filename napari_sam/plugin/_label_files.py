"""Files of labels: writing the session's, with what they mean, and beginning with those of an older one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import volumes
from napari_sam.core.jobs import Cancel
from napari_sam.core.naming import algorithm_name, object_segments
from napari_sam.core.session import Session
from napari_sam.nodes.image_input import ImageInput
from napari_sam.nodes.label_files import read_labels
from napari_sam.plugin._adopting import adopt
from napari_sam.plugin._cases import Case
from napari_sam.plugin._jobs import Job
from napari_sam.plugin._stage import Stage
from volumes import LabelVolume, Segment, Volume

__all__ = ["LabelFiles", "Save", "write_labels"]

Save = Callable[[Path, NDArray[Any], Volume, Sequence[Segment]], None]


class LabelFiles:
    """Reads and writes labels beside the model's work, one file at a time.

    Parameters
    ----------
    stage : Stage
        What all steps share.
    save : callable
        (path, labels, source volume, what the labels mean); called on another thread.
    """

    def __init__(self, stage: Stage, save: Save) -> None:
        self._stage = stage
        self._save = save
        self.doing = ""

    def segments_of(self, session: Session) -> tuple[Segment, ...]:
        """Say what the labels of a session mean: names, colours, and what drew them."""
        segmenter = self._stage.model.segmenter
        model = "" if segmenter is None else segmenter.name
        return object_segments(session.objects.values(), algorithm_name(model))

    def save(self, path: Path) -> None:
        """Write a copy of the labels as they are now, in the image's own geometry."""
        case = self._stage.free_case
        if case is None or self.doing:
            return
        session = case.session
        segments = self.segments_of(session)
        labels = np.zeros_like(session.labels)  # where there is no object, no memory is touched
        for box in (one.extent for one in session.objects.values() if one.extent is not None):
            labels[box.slices()] = session.labels[box.slices()]

        def work(_: Cancel) -> Iterable[object]:
            self._save(path, labels, session.volume, segments)
            return ()

        self._submit(
            "Saving the labels…", work, on_done=lambda: self._stage.changed((), f"Saved {path.name}.")
        )

    def load(self, path: Path) -> None:
        """Begin with the objects of a file: they are accepted already, so they keep their voxels."""
        case = self._stage.free_case
        if case is None or self.doing:
            return

        def work(_: Cancel) -> Iterable[LabelVolume]:
            yield read_labels(ImageInput(path), case.session.volume)

        self._submit("Reading the labels…", work, on_part=lambda labels: self._adopt(case, path, labels))

    def _adopt(self, case: Case, path: Path, labels: LabelVolume) -> None:
        named = {one.value: one for one in labels.segments}
        done = adopt(self._stage, case, labels.data, named)
        if done is None:
            return
        ids, edits = done
        n_new = "1 object" if len(ids) == 1 else f"{len(ids)} objects"
        self._stage.changed(edits, f"Read {n_new} from {path.name}. Press Reopen to change one of them.")

    def _submit(
        self,
        doing: str,
        work: Callable[[Cancel], Iterable[object]],
        on_part: Callable[[Any], None] = lambda _: None,
        on_done: Callable[[], None] = lambda: None,
    ) -> None:
        def ended() -> None:
            self.doing = ""
            on_done()

        def parted(part: Any) -> None:
            self.doing = ""
            on_part(part)

        def failed(error: Exception) -> None:
            self.doing = ""
            self._stage.fail(error)

        self.doing = doing
        self._stage.changed((), "")
        self._stage.files.submit(Job("save", work, on_part=parted, on_done=ended, on_error=failed))


def write_labels(path: Path, labels: NDArray[Any], like: Volume, segments: Sequence[Segment]) -> None:
    """Write labels in the geometry of their image, with what they mean."""
    volumes.write(path, labels, like=like, segments=segments)
