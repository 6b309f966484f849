"""Builds notes with the stand-in renderer, in a process of its own and in its workers.

    python -m tests.data_builders.rare_codes.build_with_stand_in OUT SETTINGS

Workers import this module too, so that they have the renderer.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.data_builders.rare_codes.stand_in import install

install()


def main(out: Path, settings: str) -> None:
    """Run the builder with settings in JSON."""
    from data_builders.builder import configure, find_builder
    from data_builders.output import build

    builder = find_builder("rare_code_notes")
    build(builder, configure(builder, json.loads(settings)), out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
