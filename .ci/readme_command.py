"""Print one of the two set-up commands of README.md, so that CI runs what the page says."""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def command(name: str, text: str) -> str:
    """Return the only line of the code block after ``<!-- command: NAME -->``."""
    found = re.findall(rf"<!-- command: {re.escape(name)} -->\n+```\w*\n([^\n]+)\n```", text)
    if len(found) != 1:
        raise SystemExit(
            f"README.md has {len(found)} one-line commands marked {name!r}; it needs exactly one"
        )
    return str(found[0])


if __name__ == "__main__":
    sys.stdout.write(command(sys.argv[1], README.read_text(encoding="utf-8")) + "\n")
