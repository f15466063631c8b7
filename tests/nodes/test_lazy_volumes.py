"""A volume larger than the memory: no operation reads more of it than the planes that it looks at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import volumes
from napari_sam.core.auto_plan import AutoMaskSettings
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.session import Session
from napari_sam.engine.sam_segmenter import SamSegmenter
from napari_sam.nodes.auto import AutoOptions, segment_everything
from napari_sam.nodes.embed import EmbedOptions, embed_volume
from napari_sam.nodes.image_input import ImageInput
from napari_sam.nodes.info import describe_volume
from napari_sam.nodes.inspection import inspect_file
from napari_sam.nodes.object_prompts import group_prompts
from napari_sam.nodes.outputs import check_label_format
from napari_sam.nodes.segment import SegmentOptions
from napari_sam.nodes.segment_file import SegmentJob, segment_file
from napari_sam.store.cache import EmbeddingStore
from tests.fakes import FakeSegmenter, ellipsoid_labels, labelled_volume
from tests.taught_model import taught_sam
from tests.tiny_models import spec_of
from volumes import Geometry, LazyArray, Provenance, Volume

SHAPE = (30, 48, 64)


class Planes:
    """Boxes of a volume of which no more than one plane is in memory; a record of which were read."""

    dtype = np.dtype(np.int16)

    def __init__(self, whole: NDArray[np.int16]) -> None:
        self._whole = whole
        self.shape = whole.shape
        self.planes: set[int] = set()
        self.n_overviews = 0

    def read_box(self, start: tuple[int, ...], stop: tuple[int, ...]) -> NDArray[Any]:
        assert stop[0] - start[0] == 1, f"planes {start[0]} to {stop[0]} were read at once"
        self.planes.add(start[0])
        return self._whole[tuple(slice(low, high) for low, high in zip(start, stop, strict=True))]

    def overview(self) -> NDArray[Any]:
        self.n_overviews += 1
        return self._whole[::10, ::2, ::2]


@pytest.fixture
def source() -> Planes:
    return Planes(np.asarray(labelled_volume(ellipsoid_labels(SHAPE, n_objects=2)).data))


@pytest.fixture
def lazy(source: Planes, monkeypatch: pytest.MonkeyPatch) -> Volume:
    """The volume, which is also what every file is read as."""
    volume = Volume(LazyArray(source), Geometry.from_spacing(SHAPE, (2, 1, 1)), Provenance("test"))
    real = volumes.read
    monkeypatch.setattr(
        volumes, "read", lambda place, **how: volume if str(place) == "lazy" else real(place, **how)
    )
    return volume


@pytest.fixture
def network(tmp_path: Path) -> SamSegmenter:
    """A small network, whose answers do not matter."""
    settings = AutoMaskSettings(2, 4, 0.0, 0.0, 1.0, 0.8)
    store = EmbeddingStore(tmp_path / "cache", 2**20, 0)
    return SamSegmenter(taught_sam(), spec_of(auto_masks=settings), "0" * 64, store, torch.device("cpu"))


def job(tmp_path: Path, **options: Any) -> SegmentJob:
    prompts = group_prompts(1, "left", [PointPrompt((15, 24, 16))])
    return SegmentJob(Path("lazy"), tmp_path / "o.nii.gz", (prompts,), **options)


def test_a_plane_of_it_costs_that_plane(
    lazy: Volume, source: Planes, segmenter: FakeSegmenter, tmp_path: Path
) -> None:
    report = segment_file(
        job(
            tmp_path,
            options=SegmentOptions(plane_only=True),
            preview=tmp_path / "p.png",
            report=tmp_path / "r.json",
        )
    )
    assert source.planes == {15}
    written = volumes.read(tmp_path / "o.nii.gz")
    assert np.flatnonzero(np.asarray(written.data).any(axis=(1, 2))).tolist() == [15]
    assert written.geometry.is_close(lazy.geometry)
    assert report.objects[0].voxels > 0


def test_a_range_of_it_costs_that_range(
    lazy: Volume, source: Planes, segmenter: FakeSegmenter, tmp_path: Path
) -> None:
    report = segment_file(job(tmp_path, options=SegmentOptions(planes=(13, 18))))
    assert report.objects[0].n_planes == 5
    assert source.planes == set(range(13, 18))


def test_a_session_holds_labels_and_no_voxels(lazy: Volume, source: Planes) -> None:
    session = Session(lazy)
    request = session.prompt(PlaneRef(0, 15), PointPrompt((15, 24, 16)))
    session.apply(FakeSegmenter().segment(request), request)
    assert source.planes == {15}
    assert source.n_overviews == 1  # for the window
    assert np.count_nonzero(session.labels) > 0


def test_embedding_reads_the_planes_alone(lazy: Volume, source: Planes, network: SamSegmenter) -> None:
    assert embed_volume(lazy, network, EmbedOptions(planes=(3, 5))).cache.n_encoded == 2
    assert source.planes == {3, 4}


def test_a_network_reads_the_prompted_plane_alone(
    lazy: Volume, source: Planes, network: SamSegmenter
) -> None:
    session = Session(lazy)
    request = session.prompt(PlaneRef(0, 15), PointPrompt((15, 24, 16)))
    session.apply(network.segment(request), request)
    assert source.planes == {15}


def test_automatic_masks_read_the_planes_alone(lazy: Volume, source: Planes, network: SamSegmenter) -> None:
    result = segment_everything(lazy, network, AutoOptions(planes=(4, 6)))
    assert source.planes == {4, 5}
    assert result.labels.dtype == np.uint16


def test_it_is_described_from_an_overview(lazy: Volume, source: Planes) -> None:
    info = describe_volume(lazy)
    assert info.is_lazy
    assert source.planes == set()
    lines = inspect_file(ImageInput("lazy")).lines
    assert any("of an overview" in line for line in lines)
    assert source.planes == set()


def test_a_format_is_tried_without_reading_it(lazy: Volume, source: Planes, tmp_path: Path) -> None:
    check_label_format(tmp_path / "o.nii.gz", lazy)
    assert source.planes == set()
    assert source.n_overviews == 0
