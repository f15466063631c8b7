"""How long ``import napari_sam`` takes, beside the limit and beside what it must not load.

Run ``python benchmarks/import_time.py``. Every figure is the median of fresh interpreters, less what an empty
one takes: good for comparing lines of one run, only roughly for comparing machines.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

LIMIT_S = 0.2
REPEATS = 9
STATEMENTS = ("import napari_sam", "import volumes", "import numpy", "import SimpleITK", "import torch")


def median_seconds(statement: str) -> float:
    """Time a fresh interpreter running one statement; the first, with a cold disk, is not counted."""
    times_s = []
    for _ in range(REPEATS + 1):
        start_s = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        times_s.append(time.perf_counter() - start_s)
    return statistics.median(times_s[1:])


def main() -> int:
    """Print the table; return 1 if the limit is broken."""
    bare_s = median_seconds("pass")
    rows = [(statement, median_seconds(statement) - bare_s) for statement in STATEMENTS]
    print(f"{'statement':<22} {'seconds':>8}   limit")
    for statement, seconds in rows:
        limit = f"{LIMIT_S:.1f}" if statement == "import napari_sam" else "-"
        print(f"{statement:<22} {max(seconds, 0.0):8.3f}   {limit}")
    return int(rows[0][1] > LIMIT_S)


if __name__ == "__main__":
    raise SystemExit(main())
