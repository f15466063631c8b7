"""Finding a file of weights, reading it without running anything in it, and putting it into a model."""

from __future__ import annotations

import pickle
import tarfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from napari_sam.errors import MissingWeights, WeightsError
from napari_sam.store.digests import Algorithm, file_digest
from napari_sam.zoo.blueprint import blueprint
from napari_sam.zoo.spec import ModelSpec

if TYPE_CHECKING:
    from torch import Tensor

    from napari_sam.models.sam import Sam

State = dict[str, "Tensor"]
DigestOf = Callable[[Path, Algorithm], str]
"""(file, algorithm) to the digest in hex."""

_NESTS = ("model_state", "model", "state_dict")
_PREFIXES = ("module.", "sam.")
_N_NAMED = 3
"""How many keys an error names before it counts the rest."""


@dataclass(frozen=True)
class LoadedWeights:
    """What was put into a model: the file's digest in hex, and the keys of the file that were left out."""

    path: Path
    sha256: str
    left_out: tuple[str, ...]


def find_weights(spec: ModelSpec, given: Path | None, cache_dir: Path) -> Path:
    """Return the file to load: the one given, else the embedded one, else the one in the cache folder.

    Raises
    ------
    MissingWeights
        There is none; the message names the file, its digest, where to get it and where to put it.
    """
    weights = spec.weights
    if given is not None:
        if not given.is_file():
            raise MissingWeights(f"there is no file of weights at {given}; check --weights, or leave it out")
        return given
    if weights.embedded is not None:
        if weights.embedded.is_file():
            return weights.embedded
        raise MissingWeights(
            f"the weights of {spec.name} are missing from the package ({weights.filename}); install it "
            "again, or pass a file with --weights"
        )
    place = cache_dir / "weights" / weights.filename
    if place.is_file():
        return place
    source = f" from {weights.url}" if weights.url else ""
    digest = "" if weights.digest is None else f" ({' '.join(weights.digest)})"
    command = f"run `napari-sam models download {spec.name}`, or " if weights.url else ""
    raise MissingWeights(
        f"the weights of {spec.name} are not on this machine: {command}get {weights.filename}{source}"
        f"{digest} and put it at {place}, or pass it with --weights"
    )


def check_digest(spec: ModelSpec, path: Path, digest_of: DigestOf) -> None:
    """Refuse a file that bears the published name but not the published digest.

    A file of another name is a fine-tune of the same architecture: its digest cannot be known.

    Raises
    ------
    WeightsError
        The digests differ.
    """
    weights = spec.weights
    if weights.digest is None or path.name != weights.filename:
        return
    algorithm, expected = weights.digest
    found = digest_of(path, algorithm)
    if found != expected:
        raise WeightsError(
            f"{path} is not the published {path.name}: its {algorithm} is {found}, not {expected}; get it "
            f"again from {weights.url}, or rename it if it is a fine-tune of your own"
        )


def read_checkpoint(path: Path) -> tuple[State, tuple[str, ...]]:
    """Read the tensors of a checkpoint, and name the entries that are none.

    Safetensors and torch files are told apart by content. A torch file is unpickled with
    ``weights_only=True``: a file that wants to run code is refused, and runs none. Tar archives, which only
    the first torch wrote, are refused unread: the loader for them was not safe (CVE-2025-32434). The tensors
    may lie under ``model_state``, ``model`` or ``state_dict``; prefixes ``sam.`` and ``module.`` are taken
    off their names.

    Raises
    ------
    WeightsError
        The file cannot be read, is cut short, or holds code.
    """
    content = _read_safetensors(path) if _looks_like_safetensors(path) else _read_torch(path)
    left_out: list[str] = []
    nest = next((name for name in _NESTS if isinstance(content.get(name), Mapping)), None)
    if nest is not None:
        left_out = [str(name) for name in content if name != nest]
        content = content[nest]
    state: State = {}
    for key, value in content.items():
        if isinstance(value, torch.Tensor):
            state[_without_prefixes(str(key))] = value
        else:
            left_out.append(str(key))
    return state, tuple(left_out)


def load_model(spec: ModelSpec, path: Path, digest_of: DigestOf = file_digest) -> tuple[Sam, LoadedWeights]:
    """Build a model with a file's numbers, as float32, after checking digest, names, shapes and values.

    Entries that belong to no part of the model (an optimiser's state, another decoder) are left out; within
    the model's parts every name must fit.

    Parameters
    ----------
    spec : ModelSpec
        Which model.
    path : Path
        The file, as `read_checkpoint` takes it.
    digest_of : callable
        Digests the file, or remembers what that gave: `napari_sam.store.digests.DigestCache.get`.

    Returns
    -------
    tuple of Sam and LoadedWeights
        The model in evaluation mode, on the CPU.

    Raises
    ------
    WeightsError
        The file is broken or unsafe, is not the published one, or belongs to another architecture.
    """
    check_digest(spec, path, digest_of)
    sha256 = digest_of(path, "sha256")
    found, no_tensors = read_checkpoint(path)
    if spec.convert is not None:
        found = spec.convert(found)
    with blueprint():  # no time spent on numbers that are replaced at once
        model = spec.build()
    expected = model.state_dict()
    parts = {_part(key) for key in expected}
    state = {key: value for key, value in found.items() if _part(key) in parts}
    left_out = (*(key for key in found if key not in state), *no_tensors)
    _check_architecture(expected, state, spec, path)
    whole = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    model.load_state_dict(whole, strict=True, assign=True)
    if any(buffer.is_meta for buffer in model.buffers()):  # buffers that the state does not hold
        model = spec.build()
        model.load_state_dict(whole, strict=True)
    return model.eval().requires_grad_(False), LoadedWeights(path, sha256, left_out)


def _check_architecture(expected: Mapping[str, Tensor], state: State, spec: ModelSpec, path: Path) -> None:
    if not state:
        parts = ", ".join(dict.fromkeys(_part(key) for key in expected))
        raise WeightsError(f"{path} holds no weights of {spec.name}; pass a checkpoint with {parts}")
    missing = [key for key in expected if key not in state]
    extra = [key for key in state if key not in expected]
    misshapen = [
        f"{key} is {tuple(state[key].shape)}, not {tuple(expected[key].shape)}"
        for key in expected
        if key in state and state[key].shape != expected[key].shape
    ]
    faults = [
        f"{what}: {_listed(keys)}"
        for what, keys in (("missing", missing), ("unexpected", extra), ("misshapen", misshapen))
        if keys
    ]
    if faults:
        raise WeightsError(
            f"{path} is not of the architecture of {spec.name} ({'; '.join(faults)}); choose the model it "
            "belongs to with --model, or another file"
        )
    broken = [key for key, value in state.items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise WeightsError(
            f"{path} holds values that are not numbers in {_listed(broken)}; get the file again"
        )


def _looks_like_safetensors(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise WeightsError(
            f"cannot read {path}: {error.strerror}; check the path and its permissions"
        ) from error
    return len(head) == 9 and head[8:] == b"{" and not head.startswith((b"PK", b"\x80"))


def _read_safetensors(path: Path) -> dict[str, Any]:
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise WeightsError(
            f"{path} is a broken safetensors file ({_one_line(error)}); get it again"
        ) from error


def _read_torch(path: Path) -> dict[str, Any]:
    if _is_tar(path):
        raise WeightsError(
            f"{path} is a tar archive, which is not read as it could run code (none was run); get it again, "
            "unpack it, or have its maker save the state_dict alone, as safetensors"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old or odd pickles: whether it can be read is seen next
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} is not a plain file of weights: it is broken, or holds objects that would run code "
            "(none was run); get it again, or have its maker save the state_dict alone, as safetensors"
        ) from error
    except Exception as error:  # a damaged file makes the unpickler fail in any way
        raise WeightsError(
            f"{path} is no readable checkpoint, or is cut short ({_one_line(error)}); get it again, "
            "and compare its size with the original's"
        ) from error
    if not isinstance(content, Mapping):
        raise WeightsError(
            f"{path} holds a {type(content).__name__}, not a dictionary of weights; pass a state_dict"
        )
    return dict(content)


def _is_tar(path: Path) -> bool:
    try:
        with tarfile.open(path, "r:"):
            return True
    except Exception:  # torch opens it the same way, and fails the same way
        return False


def _part(key: str) -> str:
    """Return the part of a model that a name belongs to: what stands before the first dot."""
    return key.split(".", 1)[0]


def _without_prefixes(key: str) -> str:
    while key.startswith(_PREFIXES):
        key = key.split(".", 1)[1]
    return key


def _listed(keys: list[str]) -> str:
    named = ", ".join(keys[:_N_NAMED]) or "none"
    return named if len(keys) <= _N_NAMED else f"{named} and {len(keys) - _N_NAMED} more"


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
