from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import xxhash
from safetensors.torch import save_file
from torch import Tensor

from napari_sam import zoo
from napari_sam.errors import MissingWeights, WeightsError
from napari_sam.zoo.spec import Weights
from napari_sam.zoo.weights import find_weights, load_model, read_checkpoint
from tests.tiny_models import (
    build_conv_sam,
    build_efficient_sam,
    build_mobile_sam,
    build_vit_sam,
    random_sam,
    spec_of,
    with_silent_levels,
)


@pytest.fixture
def state() -> dict[str, Tensor]:
    return random_sam().state_dict()


def _prefixed(prefix: str) -> Callable[[dict[str, Tensor]], dict[str, Any]]:
    return lambda state: {prefix + key: value for key, value in state.items()}


LAYOUTS: dict[str, Callable[[dict[str, Tensor]], dict[str, Any]]] = {
    "plain": dict,
    "state_dict": lambda s: {"state_dict": s, "epoch": 4},
    "model": lambda s: {"model": s, "optimizer": {"lr": 1e-4}},
    "model_state, sam.": lambda s: {"model_state": _prefixed("sam.")(s), "init": {"a": [1, 2]}},
    "module.": _prefixed("module."),
    "module.sam.": _prefixed("module.sam."),
    "half precision": lambda s: {k: v.half() if v.is_floating_point() else v for k, v in s.items()},
    "with a decoder": lambda s: {
        **s,
        "decoder_state": {"out.weight": torch.zeros(2)},
        "decoder.x": torch.zeros(3),
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_torch_checkpoints_load(tmp_path: Path, state: dict[str, Tensor], layout: str, zipped: bool) -> None:
    path = tmp_path / "fine_tune.pt"
    torch.save(LAYOUTS[layout](state), path, _use_new_zipfile_serialization=zipped)
    model, loaded = load_model(spec_of(), path)
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not model.training
    found = model.state_dict()
    assert set(found) == set(state)
    tolerance = 2e-3 if layout == "half precision" else 0.0
    for key, value in state.items():
        assert found[key].dtype == value.dtype
        assert torch.allclose(found[key], value, rtol=tolerance, atol=tolerance)


def test_safetensors_load_whatever_the_name(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "weights.pth"
    save_file(state, path)
    model, _ = load_model(spec_of(), path)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_entries_left_out_are_named(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "c.pt"
    torch.save({"model_state": {**state, "decoder.out": torch.zeros(1)}, "epoch": 3}, path)
    assert load_model(spec_of(), path)[1].left_out == ("decoder.out", "epoch")


def test_training_checkpoint_of_micro_sam_loads(tmp_path: Path, state: dict[str, Tensor]) -> None:
    """Its trainer keeps SAM's numbers under a prefix, its instance decoder and optimiser beside them."""
    path = tmp_path / "best.pt"
    content = {
        "iteration": 25_000, "epoch": 3, "best_metric": 0.1,
        "model_state": _prefixed("sam.")(state),
        "decoder_state": {"base.weight": torch.zeros(2, 3), "out_conv.bias": torch.zeros(3)},
        "optimizer_state": {"state": {0: {"step": 2.0}}, "param_groups": [{"lr": 1e-5}]},
        "train_time": 12.5,
    }  # fmt: skip
    torch.save(content, path)
    model, loaded = load_model(spec_of(), path)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert set(loaded.left_out) == set(content) - {"model_state"}


def test_exported_model_with_its_decoder_loads(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "exported.pt"
    torch.save({"model_state": state, "decoder_state": {"out_conv.bias": torch.zeros(3)}}, path)
    model, loaded = load_model(spec_of(), path)
    assert model.state_dict().keys() == state.keys()
    assert loaded.left_out == ("decoder_state",)


@pytest.mark.parametrize("nest", ["plain", "model_state, sam."])
def test_mobile_sam_loads_with_and_without_what_it_carries_along(tmp_path: Path, nest: str) -> None:
    """The published file has a classifier; other writers also store tables that follow from a window."""
    state = random_sam(build=build_mobile_sam).state_dict()
    extra = {
        "image_encoder.norm_head.weight": torch.ones(32),
        "image_encoder.head.weight": torch.zeros(10, 32),
        "image_encoder.layers.1.blocks.0.attn.attention_bias_idxs": torch.zeros(9, 9, dtype=torch.long),
        "image_encoder.layers.1.blocks.0.attn.ab": torch.zeros(1, 9, 9),
    }
    spec = spec_of(build=build_mobile_sam, convert=zoo.get("mobile_sam.vit_t").convert)
    for some in ({}, dict(list(extra.items())[:2]), extra):
        path = tmp_path / f"{len(some)}.pt"
        torch.save(LAYOUTS[nest]({**state, **some}), path)
        model, _ = load_model(spec, path)
        assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_efficient_sam_loads(tmp_path: Path) -> None:
    state = random_sam(build=build_efficient_sam).state_dict()
    torch.save({"model": state}, tmp_path / "c.pt")
    model, loaded = load_model(spec_of(build=build_efficient_sam), tmp_path / "c.pt")
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert loaded.left_out == ()


def test_conversion_of_names_is_used(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "c.safetensors"
    save_file({key.replace("neck", "throat"): value for key, value in state.items()}, path)
    spec = spec_of(convert=lambda s: {key.replace("throat", "neck"): value for key, value in s.items()})
    assert load_model(spec, path)[0].state_dict().keys() == state.keys()


def _error_of(spec: Any, path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        load_model(spec, path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.mark.parametrize("n_missing", [0, 2])
def test_older_weights_of_the_default_model_load(tmp_path: Path, n_missing: int) -> None:
    spec = zoo.get("default")
    assert spec.weights.embedded is not None
    whole, _ = read_checkpoint(spec.weights.embedded)
    gone = ("image_encoder.level4.2.", "image_encoder.level8.3.")[:n_missing]
    older = {name: value for name, value in with_silent_levels(whole).items() if not name.startswith(gone)}
    path = tmp_path / "older.safetensors"
    save_file(older, path)
    torch.manual_seed(7)
    model, _ = load_model(spec, path)
    assert torch.equal(torch.rand(1), torch.rand(1, generator=torch.Generator().manual_seed(7)))
    embedding = model.encode(torch.zeros(1, 3, 64, 64))["image_embedding"]
    assert torch.equal(embedding[0, :, 0, 0], older["image_encoder.smooth16.bias"])
    state, again = model.state_dict(), load_model(spec, path)[0].state_dict()
    assert all(torch.equal(again[name], value) for name, value in state.items())
    last = [f"{name}conv2.1.{kind}" for name in gone for kind in ("weight", "bias")]
    assert not any(state[name].any() for name in last)  # what is added gives nothing


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    save_file(random_sam(build=build_vit_sam).state_dict(), path)
    message = _error_of(spec_of(build=build_conv_sam), path)
    assert "missing: image_encoder.everywhere" in message
    assert "unexpected: image_encoder." in message
    assert " more" in message
    assert "--model" in message


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda s: s.pop("mask_decoder.iou_token.weight"), "missing: mask_decoder.iou_token.weight"),
        (lambda s: s.update({"mask_decoder.extra": torch.zeros(1)}), "unexpected: mask_decoder.extra"),
        (
            lambda s: s.update({"mask_decoder.iou_token.weight": torch.zeros(1, 5)}),
            "misshapen: mask_decoder.iou_token.weight is (1, 5), not (1, 32)",
        ),
        (
            lambda s: s.update({"mask_decoder.iou_token.weight": torch.full((1, 32), torch.nan)}),
            "not numbers in mask_decoder.iou_token.weight",
        ),
    ],
    ids=["missing", "extra", "misshapen", "nan"],
)
def test_each_fault_is_named(
    tmp_path: Path, state: dict[str, Tensor], change: Callable[[dict[str, Tensor]], object], expected: str
) -> None:
    changed = dict(state)
    change(changed)
    path = tmp_path / "c.pt"
    torch.save(changed, path)
    assert expected in _error_of(spec_of(), path)


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("kept", [0.9, 0.5, 0.01])
def test_file_cut_short_is_refused(tmp_path: Path, state: dict[str, Tensor], kind: str, kept: float) -> None:
    path = tmp_path / "c.pt"
    if kind == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    assert "get it again" in _error_of(spec_of(), path)


@pytest.mark.parametrize(
    "content", [b"", b"x", b"an HTML page about weights" * 40, b"PK\x03\x04" + b"\0" * 99, b"\x80\x04."]
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.pth"
    path.write_bytes(content)
    _error_of(spec_of(), path)


@pytest.mark.parametrize("content", [[1, 2], {"a": torch.zeros(2)}, {"model": {}}, torch.zeros(3)])
def test_checkpoint_without_a_sam_model_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "c.pth"
    torch.save(content, path)
    _error_of(spec_of(), path)


class _Code:
    """Unpickling this writes a file, where unpickling runs code."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.target, "it ran")


@pytest.mark.parametrize("kind", ["zip", "legacy", "bare pickle"])
def test_pickle_with_code_runs_none(tmp_path: Path, state: dict[str, Tensor], kind: str) -> None:
    path, target = tmp_path / "c.pth", tmp_path / "proof"
    content = {"model": state, "extra": _Code(target)}
    if kind == "bare pickle":
        path.write_bytes(pickle.dumps({"extra": _Code(target)}))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
    assert "would run code (none was run)" in _error_of(spec_of(), path)
    assert not target.exists()


def test_an_archive_of_the_first_torch_is_not_even_unpacked(tmp_path: Path) -> None:
    path, target = tmp_path / "c.pth", tmp_path / "proof"
    payload = tmp_path / "pickle"
    payload.write_bytes(pickle.dumps(_Code(target)))
    with tarfile.open(path, "w") as archive:
        for name in ("pickle", "storages", "tensors"):
            archive.add(payload, name)
    message = _error_of(spec_of(), path)
    assert "tar archive" in message
    assert "none was run" in message
    assert not target.exists()


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_program_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), path)
    assert "get it again" in _error_of(spec_of(), path)


def test_code_beside_the_tensors_of_a_zip_is_not_looked_at(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path, target = tmp_path / "c.pth", tmp_path / "proof"
    torch.save(state, path)
    with zipfile.ZipFile(path, "a") as archive:
        folder = archive.namelist()[0].split("/")[0]
        archive.writestr(f"{folder}/extra.pkl", pickle.dumps(_Code(target)))
        archive.writestr(f"{folder}/code/__torch__.py", f"open({str(target)!r}, 'w')")
    load_model(spec_of(), path)
    assert not target.exists()


@pytest.mark.parametrize("nest", [None, "model_state", "model", "state_dict"])
@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_code_in_place_of_a_tensor_runs_not(
    tmp_path: Path, state: dict[str, Tensor], nest: str | None, kind: str
) -> None:
    path, target = tmp_path / "c.pth", tmp_path / "proof"
    content: dict[str, Any] = {**state, next(iter(state)): _Code(target)}
    torch.save({nest: content} if nest else content, path, _use_new_zipfile_serialization=kind == "zip")
    assert "would run code (none was run)" in _error_of(spec_of(), path)
    assert not target.exists()


def test_a_header_of_safetensors_that_lies_about_its_length(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    path.write_bytes((2**62).to_bytes(8, "little") + b"{" + b"x" * 50)
    assert "get it again" in _error_of(spec_of(), path)


def test_the_file_of_another_model_of_the_same_family_is_refused(tmp_path: Path) -> None:
    def wider() -> Any:
        model = build_conv_sam()
        model.mask_decoder.iou_token = torch.nn.Embedding(1, 48)
        return model

    path = tmp_path / "c.safetensors"
    save_file(random_sam(build=wider).state_dict(), path)
    message = _error_of(spec_of(), path)
    assert "misshapen: mask_decoder.iou_token.weight is (1, 48), not (1, 32)" in message
    assert "--model" in message


def test_a_digest_of_xxh128_counts_too(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "vit_b.pt"
    torch.save(state, path)
    right = xxhash.xxh128_hexdigest(path.read_bytes())
    loaded = load_model(spec_of(weights=Weights("vit_b.pt", "MIT", "somebody", xxh128=right)), path)[1]
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    message = _error_of(spec_of(weights=Weights("vit_b.pt", "MIT", "somebody", xxh128="0" * 32)), path)
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
    message = _error_of(spec_of(weights=weights), published)
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


def test_reading_keeps_tensors_under_their_own_names(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    torch.save(
        {"sam.mask_decoder.iou_token.weight": torch.ones(1, 2), "pixel_mean": torch.zeros(3), "note": 1}, path
    )
    read, left_out = read_checkpoint(path)
    assert list(read) == ["mask_decoder.iou_token.weight", "pixel_mean"]
    assert left_out == ("note",)


def test_loading_the_default_model_does_not_load_torchs_compiler() -> None:
    """Its import takes longer than all the rest of the first use."""
    code = (
        "import sys, napari_sam; napari_sam.load_segmenter('default', device='cpu'); "
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
