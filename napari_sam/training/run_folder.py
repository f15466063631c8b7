"""The folder of a training run: each file in it is written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors.torch import save
from torch import Tensor

from napari_sam.errors import StoreError
from napari_sam.training.curves import draw_curves

__all__ = ["RunFolder"]

_HALF_LIMIT = 65504.0


class RunFolder:
    """Holds ``run.json`` (what was asked for), ``state.pt``, ``history.jsonl``, the best weights and curves.

    Parameters
    ----------
    path : Path
        The folder; made by `start`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.weights = path / "best.safetensors"
        self.curves = path / "curves.png"

    @property
    def is_begun(self) -> bool:
        """Whether a run was begun here."""
        return (self.path / "run.json").is_file()

    def check_free(self) -> None:
        """Check that a new run can be begun here, and change nothing.

        Raises
        ------
        StoreError
            Something is there already, or there is no place for a folder.
        """
        if self.is_begun:
            raise StoreError(
                f"{self.path} holds a run; pass --resume to go on with it, or choose another --out"
            )
        if self.path.exists() and not (self.path.is_dir() and not any(self.path.iterdir())):
            raise StoreError(f"{self.path} exists and is no empty folder; choose another --out")
        parent = next(folder for folder in self.path.absolute().parents if folder.exists())
        if not os.access(parent, os.W_OK) or not parent.is_dir():
            raise StoreError(f"cannot make {self.path}: {parent} is not writable; choose another --out")

    def start(self, record: Mapping[str, Any]) -> None:
        """Make the folder and write what was asked for."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot make {self.path}: {error.strerror}; choose another --out") from error
        self._write("run.json", (json.dumps(record, indent=1) + "\n").encode())

    def record(self) -> dict[str, Any]:
        """Read what was asked for.

        Raises
        ------
        StoreError
            There is no run, or its record is broken.
        """
        path = self.path / "run.json"
        if not path.is_file():
            raise StoreError(f"{self.path} holds no run to go on with; leave --resume out to begin one")
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(record, dict):
                return record
        except (OSError, ValueError):
            pass
        raise StoreError(f"cannot read {path}; restore it, or begin anew with another --out")

    def save_state(self, state: Mapping[str, Any]) -> None:
        """Write all that is needed to go on."""
        self._replace("state.pt", lambda file: torch.save(dict(state), file))

    def load_state(self, device: torch.device) -> dict[str, Any] | None:
        """Read the state, running nothing in it; None where the run had not come to save one.

        Raises
        ------
        StoreError
            The file is broken.
        """
        path = self.path / "state.pt"
        if not path.is_file():
            return None
        try:
            state = torch.load(path, map_location=device, weights_only=True)
        except Exception as error:  # a damaged file makes the unpickler fail in any way
            raise StoreError(f"{path} is broken; begin anew with another --out") from error
        return dict(state)

    def save_weights(self, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
        """Write weights as float16 safetensors, or as they are where a value is too large for that."""
        floats = [value for value in tensors.values() if value.is_floating_point()]
        is_small = all(float(value.abs().max()) < _HALF_LIMIT for value in floats if value.numel())
        stored = {
            name: (value.half() if is_small and value.is_floating_point() else value).contiguous()
            for name, value in tensors.items()
        }
        self._write(self.weights.name, save(stored, metadata={"format": "pt", **metadata}))

    def save_history(self, history: Sequence[Mapping[str, float]]) -> None:
        """Write the figures of all checks, one line each, and draw them."""
        lines = [json.dumps({name: round(value, 6) for name, value in one.items()}) for one in history]
        self._write("history.jsonl", "".join(f"{line}\n" for line in lines).encode())
        self._write(self.curves.name, draw_curves(history))

    def _write(self, name: str, content: bytes) -> None:
        self._replace(name, lambda file: file.write(content))

    def _replace(self, name: str, write: Callable[[BinaryIO], object]) -> None:
        """Write a file by way of a temporary one beside it, which takes its place when complete."""
        temporary = self.path / f".{name}.part"
        try:
            with temporary.open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path / name)
        except (OSError, RuntimeError) as error:  # torch turns a full disk into a RuntimeError
            reason = getattr(error, "strerror", None) or "the system refuses"
            raise StoreError(
                f"cannot write {self.path / name}: {reason}; make room or check permissions, "
                "and go on with --resume"
            ) from error
        finally:
            temporary.unlink(missing_ok=True)
