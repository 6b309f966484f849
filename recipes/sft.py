"""Supervised fine-tuning on span rows and document rows.

    accelerate launch recipes/sft.py --config recipes/tiny/sft_scratch.yaml
        [--overwrite | --resume auto] [--processes N] [key=value ...]

From an installed package: `accelerate launch -m recipes.sft --config tiny/sft_scratch`.
"""

from __future__ import annotations

import sys

from recipes.launch import launch


def main() -> int:
    """Train a model according to a recipe. Return the exit code."""
    return launch("sft", "Supervised fine-tuning on span rows and document rows.")


if __name__ == "__main__":
    sys.exit(main())
