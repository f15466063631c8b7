"""What a segmenter tells of its work."""

from __future__ import annotations

from dataclasses import dataclass

from napari_sam.core.segmenter import Segmenter
from napari_sam.nodes.report import CacheCounts

__all__ = ["Work", "count_work"]


@dataclass(frozen=True)
class Work:
    """Seconds of encoding and decoding, and where embeddings came from."""

    encode_s: float
    decode_s: float
    cache: CacheCounts

    def since(self, before: Work) -> Work:
        """Return what was done after an earlier count of the same segmenter."""
        now, then = self.cache, before.cache
        return Work(
            self.encode_s - before.encode_s,
            self.decode_s - before.decode_s,
            CacheCounts(
                now.n_encoded - then.n_encoded, now.ram_hits - then.ram_hits, now.disk_hits - then.disk_hits
            ),
        )


def count_work(segmenter: Segmenter) -> Work:
    """Read a segmenter's counters; zeros where it keeps none, for the protocol asks for none."""
    timings = getattr(segmenter, "timings", None)
    encode_s, decode_s, n_encoded, ram_hits, disk_hits = (
        getattr(timings, name, 0) for name in ("encode_s", "decode_s", "n_encoded", "ram_hits", "disk_hits")
    )
    return Work(float(encode_s), float(decode_s), CacheCounts(int(n_encoded), int(ram_hits), int(disk_hits)))
