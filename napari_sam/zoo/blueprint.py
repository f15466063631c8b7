"""Build a network without numbers: its shape alone, until a file's numbers are put in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

__all__ = ["blueprint"]


class _WithoutFirstNumbers(TorchFunctionMode):
    """Leaves out `torch.nn.init`: without storage, its `normal_` would first import torch's compiler."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Hand initialised tensors back as they are; call everything else."""
        if getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


@contextmanager
def blueprint() -> Iterator[None]:
    """Give every tensor that is made in the body a shape and a type, and no storage."""
    with torch.device("meta"), _WithoutFirstNumbers():
        yield
