"""How fast a 2 GB OME-Zarr opens, how much memory that takes, and how many chunks one plane reads.

``python -m benchmarks.lazy_zarr [--folder DIR]``. The stores (512 x 2048 x 2048 voxels of 8 bits) are made in
the folder at the first run, a few megabytes on disk each.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_sam.nodes.tables import format_table

SHAPE = (512, 2048, 2048)
CHUNKS = ((64, 64, 64), (1, 1024, 1024))
LIMIT_S, LIMIT_MIB = 1.0, 300.0

_OPEN = """
import sys, time
started = time.perf_counter()
import volumes
volume = volumes.read(sys.argv[1])
opened = time.perf_counter() - started
import resource
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)
opened_mib = peak()
times = []
for plane in (100, 101):
    started = time.perf_counter()
    volume.data[plane]
    times.append(time.perf_counter() - started)
print(opened, opened_mib, *times, peak())
"""
_COUNT = """
import sys
from zarr.storage import LocalStore
import volumes
names = set()
get = LocalStore.get
async def counted(self, key, *arguments, **named):
    names.add(key)
    return await get(self, key, *arguments, **named)
volume = volumes.read(sys.argv[1])
LocalStore.get = counted
volume.data[100]
print(len(names))
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the stores, open them in fresh processes, print the table; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where the stores lie (default: a temporary folder)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        rows = [_row(options.folder or Path(temporary), chunks) for chunks in CHUNKS]
    heads = [
        "chunks",
        "opened in s",
        "MiB",
        "plane in s",
        "next in s",
        "MiB then",
        "chunks of a plane",
        "needed",
    ]
    print(f"limits: opened in {LIMIT_S:g} s and {LIMIT_MIB:g} MiB, imports and interpreter included\n")
    print(format_table(heads, rows, markdown=False))
    return 0


def make_store(folder: Path, chunks: tuple[int, int, int]) -> Path:
    """Write an OME-Zarr 0.4 of `SHAPE` with one level, unless it is there; returns its folder."""
    import zarr

    target = folder / f"{'x'.join(map(str, chunks))}.ome.zarr"
    if target.exists():
        return target
    group = zarr.open_group(target, mode="w", zarr_format=2)
    scale = {"type": "scale", "scale": [0.5, 0.2, 0.2]}
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "axes": [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"],
            "datasets": [{"path": "0", "coordinateTransformations": [scale]}],
        }
    ]
    array = group.create_array("0", shape=SHAPE, chunks=chunks, dtype="u1")
    rows, columns = np.ogrid[: SHAPE[1], : SHAPE[2]]
    pattern = ((rows // 64 + columns // 64) % 200).astype(np.uint8)
    for low in range(0, SHAPE[0], 64):
        array[low : low + 64] = np.broadcast_to(pattern + np.uint8(low // 16), (64, *pattern.shape))
    return target


def _row(folder: Path, chunks: tuple[int, int, int]) -> list[str]:
    store = make_store(folder, chunks)
    opened_s, opened_mib, plane_s, next_s, mib = _fresh(_OPEN, store)
    (counted,) = _fresh(_COUNT, store)
    needed = -(-SHAPE[1] // chunks[1]) * -(-SHAPE[2] // chunks[2])
    times = [f"{value:.3f}" for value in (plane_s, next_s)]
    return [
        "x".join(map(str, chunks)), f"{opened_s:.3f}", f"{opened_mib:.0f}", *times, f"{mib:.0f}",
        f"{counted:.0f}", str(needed),
    ]  # fmt: skip


def _fresh(code: str, store: Path) -> list[float]:
    """Run code in a process of its own; returns the numbers it prints."""
    command = [sys.executable, "-c", code, str(store)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(number) for number in done.stdout.split()]


if __name__ == "__main__":
    sys.exit(main())
