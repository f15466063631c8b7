"""Fail unless a wheel holds what people need, nothing else, and is small enough."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

NEEDED = ("volumes/py.typed", "napari_sam/py.typed", "napari_sam/napari.yaml")
MAX_WEIGHTS_BYTES = 12_000_000


def problems(wheel: Path) -> list[str]:
    """Say what is wrong with a wheel; empty if nothing is."""
    with zipfile.ZipFile(wheel) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    found = [f"{name} is missing" for name in NEEDED if name not in sizes]
    weights = {name: size for name, size in sizes.items() if name.startswith("napari_sam/zoo/weights/")}
    tensors = {name: size for name, size in weights.items() if name.endswith(".safetensors")}
    if not tensors:
        found.append("no weights under napari_sam/zoo/weights")
    found += [
        f"{name} has {size} bytes; {MAX_WEIGHTS_BYTES} is the limit"
        for name, size in tensors.items()
        if size > MAX_WEIGHTS_BYTES
    ]
    roots = {name.split("/")[0] for name in sizes}
    strays = sorted(r for r in roots - {"volumes", "napari_sam"} if not r.endswith(".dist-info"))
    found += [f"{name} does not belong into the wheel" for name in strays]
    return found


if __name__ == "__main__":
    messages = [message for path in sys.argv[1:] for message in problems(Path(path))]
    sys.stdout.write("\n".join(messages or ["the wheel is complete"]) + "\n")
    raise SystemExit(1 if messages else 0)
