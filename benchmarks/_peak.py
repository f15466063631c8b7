"""Peak memory of one encoder, in a process of its own: ``python -m benchmarks._peak ours b``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from benchmarks._published import SIZES, build_ours, build_reference_encoder, fill, reference_networks

_STATUS, _FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def main() -> int:
    """Print bytes in memory with the model loaded, and at most while it encodes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks._peak", description=__doc__)
    parser.add_argument("whose", choices=("ours", "theirs"))
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("--reference", type=Path)
    options = parser.parse_args()
    if not _FORGET.exists():
        print("peak memory is read from /proc, which this system does not have", file=sys.stderr)
        return 2
    size = SIZES[options.size]
    if options.whose == "ours":
        encoder = build_ours(size).image_encoder
    else:
        encoder = build_reference_encoder(reference_networks(options.reference), size)
    fill(encoder)
    with torch.inference_mode():
        encoder.patch_embed(torch.zeros(1, 3, 1024, 1024))  # torch's own libraries and threads are loaded
        pixels = torch.rand(1, 3, 1024, 1024)
        loaded_bytes = _read("VmRSS")
        _FORGET.write_text("5")  # the peak so far
        encoder(pixels)
    print(json.dumps({"loaded_bytes": loaded_bytes, "peak_bytes": _read("VmHWM")}))
    return 0


def _read(field: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(field + ":"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    sys.exit(main())
