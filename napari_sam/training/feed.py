"""Batches for a device that is faster than those who draw them: older ones again while none is ready."""

from __future__ import annotations

import queue
import random
import threading
from collections import deque
from collections.abc import Iterable, Iterator

import torch

from napari_sam.training.batches import Batch
from napari_sam.training.packing import PackedBatch

__all__ = ["Feed"]

_AT_MOST = 6
"""How often a batch is seen, the first time included."""


class Feed:
    """Hands out batches: a new one where there is one, else an older one, mirrored and relit.

    Parameters
    ----------
    source : iterable of PackedBatch
        Without end; read in a thread of its own.
    device : torch.device
        Where the batches go.
    n_kept : int
        Batches that may be seen again; 0 to wait for new ones always.
    """

    def __init__(self, source: Iterable[PackedBatch], device: torch.device, n_kept: int) -> None:
        self._device = device
        self._kept: deque[tuple[PackedBatch, int]] = deque(maxlen=n_kept)
        self._ready: queue.Queue[PackedBatch | Exception] = queue.Queue(maxsize=4)
        self._over = threading.Event()
        self._rng = random.Random(0)
        self.n_new = self.n_again = 0
        self._thread = threading.Thread(target=self._read, args=(iter(source),), name="feed", daemon=True)
        self._thread.start()

    def next(self) -> Batch:
        """Give a batch; waits only while there is none to be seen again."""
        try:
            fresh = self._ready.get(block=not self._kept)
        except queue.Empty:
            return self._again()
        if isinstance(fresh, Exception):
            raise fresh
        packed = fresh.to(self._device)
        self.n_new += 1
        if self._kept.maxlen:
            self._kept.append((packed, 1))
        return packed.unpack()

    def close(self) -> None:
        """Stop reading."""
        self._over.set()
        self._thread.join(timeout=10)

    def _again(self) -> Batch:
        index = self._rng.randrange(len(self._kept))
        packed, n_seen = self._kept[index]
        if n_seen + 1 >= _AT_MOST:
            del self._kept[index]
        else:
            self._kept[index] = (packed, n_seen + 1)
        self.n_again += 1
        return packed.unpack(varied=True)

    def _read(self, source: Iterator[PackedBatch]) -> None:
        try:
            for batch in source:
                if not self._hand_over(batch):
                    return
        except Exception as error:  # whatever it is, it is raised where the next batch is asked for
            self._hand_over(error)

    def _hand_over(self, batch: PackedBatch | Exception) -> bool:
        """Wait for room; False when nobody wants batches any more."""
        while not self._over.is_set():
            try:
                self._ready.put(batch, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False
