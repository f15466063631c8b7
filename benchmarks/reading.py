"""Reads large files beside the libraries that know their formats best: seconds and memory.

``python -m benchmarks.reading [--megabytes 200] [--only nii nii.gz …]``. The files are made first. Each
reading is a process of its own, with all libraries loaded and the file in the system's cache; ours and the
others' take turns, and medians are compared. Memory is the peak while reading, beside the size of the voxels.
`benchmarks.dicom_series` and `benchmarks.lazy_zarr` measure what their names say.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._machine import FORGET_PEAK, load_average, machine, own_memory_bytes

_ROOT = Path(__file__).resolve().parents[1]
PEERS = {
    "nii": ("nibabel", "SimpleITK"),
    "nii.gz": ("nibabel", "SimpleITK"),
    "nrrd": ("SimpleITK",),
    "mha": ("SimpleITK",),
    "ome.tif": ("tifffile",),
    "png": ("Pillow",),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the files, measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__)
    parser.add_argument(
        "--megabytes", type=int, default=200, help="size of the voxels; a picture has a tenth of it"
    )
    parser.add_argument("--only", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--once", nargs=2, metavar=("WHO", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.once:
        print(json.dumps(read_once(options.once[0], Path(options.once[1]))))
        return 0
    print(f"{machine()} (load {load_average() or 0:.1f})")
    print("| file | data | ours | peak / data | other | theirs | peak / data | ours / theirs |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="reading-") as folder:
        for kind in options.only:
            path, n_bytes = make_file(Path(folder), kind, options.megabytes)
            for line in compare(path, kind, n_bytes, options.repeats):
                print(line, flush=True)
            path.unlink()
    return 0


def make_file(folder: Path, kind: str, megabytes: int) -> tuple[Path, int]:
    """Write a smooth image with some noise; returns its path and the bytes of its voxels."""
    side = 512 if megabytes >= 20 else 64
    n_planes = max(2, megabytes * 10**6 // (2 * side * side))
    noise = np.random.default_rng(0).integers(0, 16, (side, side)).astype(np.int16)
    wave = (500 * np.sin(np.linspace(0, 9, side))).astype(np.int16)
    plane = noise + wave[:, None] + wave
    voxels = np.stack([np.roll(plane, index, axis=index % 2) + np.int16(index) for index in range(n_planes)])
    path = folder / f"image.{kind}"
    if kind == "png":
        from PIL import Image

        flat = voxels[: max(1, n_planes // 10)].reshape(-1, side)
        Image.fromarray((flat + 2000).astype(np.uint16)).save(path)
        return path, flat.nbytes
    if kind == "ome.tif":
        import tifffile

        tifffile.imwrite(path, voxels, compression="zlib", metadata={"axes": "ZYX", "PhysicalSizeX": 0.5})
        return path, voxels.nbytes
    import SimpleITK

    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(voxels), str(path), kind != "nii")
    return path, voxels.nbytes


def compare(path: Path, kind: str, n_bytes: int, repeats: int) -> list[str]:
    """Measure ours and the others' in turn; one line of the table for each of the others."""
    runs: dict[str, list[dict[str, float]]] = {who: [] for who in ("ours", *PEERS[kind])}
    for _ in range(repeats):
        for who, done in runs.items():
            command = [sys.executable, "-m", "benchmarks.reading", "--once", who, str(path)]
            answer = subprocess.run(command, capture_output=True, text=True, cwd=_ROOT, check=True).stdout
            done.append(json.loads(answer))
    seconds = {who: statistics.median(run["seconds"] for run in done) for who, done in runs.items()}
    peaks = {
        who: statistics.median(run["peak_bytes"] for run in done) / n_bytes for who, done in runs.items()
    }
    return [
        f"| .{kind} | {n_bytes / 1e6:.0f} MB | {seconds['ours']:.2f} s | {peaks['ours']:.2f} | {who} "
        f"| {seconds[who]:.2f} s | {peaks[who]:.2f} | {seconds['ours'] / seconds[who]:.2f} |"
        for who in PEERS[kind]
    ]


def read_once(who: str, path: Path) -> dict[str, float]:
    """Read a file whole in this process; returns seconds, and by how much memory grew at most."""
    reader = _READERS[who]
    with tempfile.TemporaryDirectory() as folder:  # what a library loads at its first reading is not measured
        reader(make_file(Path(folder), path.name.partition(".")[2], 1)[0])
    before_bytes = own_memory_bytes("VmRSS")
    if FORGET_PEAK.exists():
        FORGET_PEAK.write_text("5")
    began = time.perf_counter()
    data = reader(path)
    largest = float(data.max())  # looks at all of it, where a library has only mapped the file
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "peak_bytes": own_memory_bytes("VmHWM") - before_bytes, "largest": largest}


def _ours(path: Path) -> Any:
    import volumes

    return np.asarray(volumes.read(path).data)


def _nibabel(path: Path) -> Any:
    import nibabel

    return np.asarray(nibabel.load(path).dataobj)


def _simpleitk(path: Path) -> Any:
    import SimpleITK

    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))


def _tifffile(path: Path) -> Any:
    import tifffile

    return tifffile.imread(path)


def _pillow(path: Path) -> Any:
    from PIL import Image

    with Image.open(path) as picture:
        return np.asarray(picture)


_READERS: dict[str, Callable[[Path], Any]] = {
    "ours": _ours, "nibabel": _nibabel, "SimpleITK": _simpleitk, "tifffile": _tifffile, "Pillow": _pillow,
}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
