"""A bounded memory of blocks of voxels that were just decoded."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

from numpy.typing import NDArray

__all__ = ["CACHE_BYTES", "BlockCache"]

CACHE_BYTES = 1 << 28
"""What one volume keeps decoded: planes of one row of chunks are mostly asked for one after the other."""


class BlockCache:
    """Blocks by key, the longest unused forgotten first. Any thread may ask.

    Parameters
    ----------
    budget_bytes : int
        How much to keep at most.
    """

    def __init__(self, budget_bytes: int = CACHE_BYTES) -> None:
        self.budget_bytes = budget_bytes
        self._blocks: OrderedDict[Hashable, NDArray[Any]] = OrderedDict()
        self._n_bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> NDArray[Any] | None:
        """Return a block, or None where it is not kept."""
        with self._lock:
            block = self._blocks.get(key)
            if block is not None:
                self._blocks.move_to_end(key)
            return block

    def put(self, key: Hashable, block: NDArray[Any]) -> None:
        """Keep a block; the caller changes it no more."""
        if block.nbytes > self.budget_bytes:
            return
        block.flags.writeable = False
        with self._lock:
            older = self._blocks.pop(key, None)
            self._n_bytes += block.nbytes - (0 if older is None else older.nbytes)
            self._blocks[key] = block
            while self._n_bytes > self.budget_bytes:
                self._n_bytes -= self._blocks.popitem(last=False)[1].nbytes
