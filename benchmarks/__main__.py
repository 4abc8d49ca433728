"""`make bench NAME`: run one benchmark and print its table; without a name, list them."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

from ._children import MissingPeerError


def main() -> int:
    """Run the benchmark named on the command line."""
    folder = str(Path(__file__).parent)
    names = sorted(m.name for m in pkgutil.iter_modules([folder]) if not (m.ispkg or m.name.startswith("_")))
    if len(sys.argv) < 2:
        print("make bench NAME, where NAME is one of:")
        for name in names:
            doc = importlib.import_module(f"benchmarks.{name}").__doc__ or ""
            print(f"  {name:<10} {doc.splitlines()[0] if doc else ''}")
        return 0
    if sys.argv[1] not in names:
        print(f"bench: no benchmark '{sys.argv[1]}'; there are: {', '.join(names)}", file=sys.stderr)
        return 2
    try:
        code: int = importlib.import_module(f"benchmarks.{sys.argv[1]}").main(sys.argv[2:])
    except MissingPeerError as exc:
        print(f"bench {sys.argv[1]}: {exc}", file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
