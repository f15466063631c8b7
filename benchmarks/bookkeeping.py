"""What a click costs beside the model: labels, history and log, on a volume of 512 x 512 x 600."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.segmenter import MaskPrediction
from napari_sam.core.session import Session
from napari_sam.store.journal import Journal
from volumes import Geometry, Provenance, Volume

SHAPE = (600, 512, 512)
LIMIT_MS = 5.0


def main() -> None:
    """Click 200 times on discs of the size of a liver, with and without the log on disk."""
    data = np.broadcast_to(np.zeros((), np.int16), SHAPE)
    volume = Volume(data, Geometry.from_spacing(SHAPE), Provenance("benchmark"))
    rows, columns = np.ogrid[:512, :512]
    discs = [(rows - 256) ** 2 + (columns - 256 - k) ** 2 < 100**2 for k in (0, 20)]
    print(f"{'what':32} {'median ms':>10} {'worst ms':>10}   limit {LIMIT_MS} ms")
    for what in ("without a log", "with a log, flushed each time"):
        session = Session(volume, window="0,1")
        with tempfile.TemporaryDirectory() as folder:
            journal = Journal.start(Path(folder), session) if "with a" in what else None
            times_ms = [_click(session, k, discs) for k in range(200)]
            if journal is not None:
                journal.close()
        print(f"{what:32} {np.median(times_ms):10.2f} {max(times_ms):10.2f}")


def _click(session: Session, k: int, discs: list[np.ndarray]) -> float:
    plane = PlaneRef(0, 100 + 2 * (k // 4))
    masks = tuple(BoxedMask.of_plane(discs[k % 2], plane, SHAPE) for _ in range(3))
    scores, hints = np.ones(3, np.float32), np.zeros((3, 256, 256), np.float16)
    answer = MaskPrediction(plane, masks, scores, hints)
    started_s = time.perf_counter()
    request = session.prompt(plane, PointPrompt((plane.index, 256, 250 + k % 9)), object_id=1)
    session.apply(answer, request)
    return 1000 * (time.perf_counter() - started_s)


if __name__ == "__main__":
    main()
