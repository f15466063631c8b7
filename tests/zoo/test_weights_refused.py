"""Files that are no weights of the model, are damaged, or hold code."""

from __future__ import annotations

import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from napari_sam.zoo.weights import load_model
from tests.tiny_models import (
    build_conv_sam,
    build_vit_sam,
    random_sam,
    spec_of,
)
from tests.zoo.refusals import error_of


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    save_file(random_sam(build=build_vit_sam).state_dict(), path)
    message = error_of(spec_of(build=build_conv_sam), path)
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
    assert expected in error_of(spec_of(), path)


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("kept", [0.9, 0.5, 0.01])
def test_file_cut_short_is_refused(tmp_path: Path, state: dict[str, Tensor], kind: str, kept: float) -> None:
    path = tmp_path / "c.pt"
    if kind == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    assert "get it again" in error_of(spec_of(), path)


@pytest.mark.parametrize(
    "content", [b"", b"x", b"an HTML page about weights" * 40, b"PK\x03\x04" + b"\0" * 99, b"\x80\x04."]
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.pth"
    path.write_bytes(content)
    error_of(spec_of(), path)


@pytest.mark.parametrize("content", [[1, 2], {"a": torch.zeros(2)}, {"model": {}}, torch.zeros(3)])
def test_checkpoint_without_a_sam_model_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "c.pth"
    torch.save(content, path)
    error_of(spec_of(), path)


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
    assert "would run code (none was run)" in error_of(spec_of(), path)
    assert not target.exists()


def test_an_archive_of_the_first_torch_is_not_even_unpacked(tmp_path: Path) -> None:
    path, target = tmp_path / "c.pth", tmp_path / "proof"
    payload = tmp_path / "pickle"
    payload.write_bytes(pickle.dumps(_Code(target)))
    with tarfile.open(path, "w") as archive:
        for name in ("pickle", "storages", "tensors"):
            archive.add(payload, name)
    message = error_of(spec_of(), path)
    assert "tar archive" in message
    assert "none was run" in message
    assert not target.exists()


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_program_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), path)
    assert "get it again" in error_of(spec_of(), path)


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
    assert "would run code (none was run)" in error_of(spec_of(), path)
    assert not target.exists()


def test_a_header_of_safetensors_that_lies_about_its_length(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    path.write_bytes((2**62).to_bytes(8, "little") + b"{" + b"x" * 50)
    assert "get it again" in error_of(spec_of(), path)


def test_the_file_of_another_model_of_the_same_family_is_refused(tmp_path: Path) -> None:
    def wider() -> Any:
        model = build_conv_sam()
        model.mask_decoder.iou_token = torch.nn.Embedding(1, 48)
        return model

    path = tmp_path / "c.safetensors"
    save_file(random_sam(build=wider).state_dict(), path)
    message = error_of(spec_of(), path)
    assert "misshapen: mask_decoder.iou_token.weight is (1, 48), not (1, 32)" in message
    assert "--model" in message
