"""Where weights are looked for, and whether they are the published ones."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
import xxhash
from torch import Tensor

from napari_sam import zoo
from napari_sam.errors import MissingWeights
from napari_sam.zoo.spec import Weights
from napari_sam.zoo.weights import find_weights, load_model
from tests.tiny_models import (
    spec_of,
)
from tests.zoo.refusals import error_of


def test_a_digest_of_xxh128_counts_too(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "vit_b.pt"
    torch.save(state, path)
    right = xxhash.xxh128_hexdigest(path.read_bytes())
    loaded = load_model(spec_of(weights=Weights("vit_b.pt", "MIT", "somebody", xxh128=right)), path)[1]
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    message = error_of(spec_of(weights=Weights("vit_b.pt", "MIT", "somebody", xxh128="0" * 32)), path)
    assert f"its xxh128 is {right}, not {'0' * 32}" in message


def test_a_remembered_digest_is_believed(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "own.pt"
    torch.save(state, path)
    assert load_model(spec_of(), path, lambda *_: "a" * 64)[1].sha256 == "a" * 64


def test_published_name_with_another_digest_is_refused(tmp_path: Path, state: dict[str, Tensor]) -> None:
    weights = Weights("sam.pth", "MIT", "somebody", sha256="0" * 64, url="https://example.org/sam.pth")
    published, own = tmp_path / "sam.pth", tmp_path / "my_fine_tune.pth"
    for path in (published, own):
        torch.save(state, path)
    message = error_of(spec_of(weights=weights), published)
    assert "0" * 64 in message
    assert "https://example.org/sam.pth" in message
    load_model(spec_of(weights=weights), own)


def test_published_name_with_the_published_digest_loads(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "sam.pth"
    torch.save(state, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    weights = Weights("sam.pth", "MIT", "somebody", sha256=digest)
    assert load_model(spec_of(weights=weights), path)[1].sha256 == digest


def test_missing_published_weights_say_what_where_and_how(tmp_path: Path) -> None:
    spec = zoo.get("sam_vit_b.meta")
    with pytest.raises(MissingWeights) as caught:
        find_weights(spec, None, tmp_path)
    message = str(caught.value)
    for part in (
        "sam_vit_b.meta",
        "https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth",
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        str(tmp_path / "weights" / "sam_vit_b_01ec64.pth"),
        "`napari-sam models download sam_vit_b.meta`",
        "--weights",
    ):
        assert part in message
    assert "\n" not in message


def test_weights_are_found_where_they_were_put(tmp_path: Path) -> None:
    place = tmp_path / "weights" / "sam_vit_b_01ec64.pth"
    place.parent.mkdir()
    place.touch()
    spec = zoo.get("sam_vit_b.meta")
    assert find_weights(spec, None, tmp_path) == place
    given = tmp_path / "medsam_vit_b.pth"
    given.touch()
    assert find_weights(spec, given, tmp_path) == given


def test_given_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match=r"no file of weights at .*none\.pth"):
        find_weights(zoo.get("default"), tmp_path / "none.pth", tmp_path)


def test_package_without_its_weights_says_so(tmp_path: Path) -> None:
    spec = spec_of(weights=Weights("w.safetensors", "Apache-2.0", "us", embedded=tmp_path / "w.safetensors"))
    with pytest.raises(MissingWeights, match="missing from the package"):
        find_weights(spec, None, tmp_path)
