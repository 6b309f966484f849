"""Training of discriminative coders (PLM-ICD, PLM-CA, GKI-ICD) on notes and spans.

    accelerate launch recipes/plm.py --config recipes/tiny/plm_ca.yaml
        [--overwrite | --resume auto] [--processes N] [key=value ...]

From an installed package: `accelerate launch -m recipes.plm --config tiny/plm_ca`.
"""

from __future__ import annotations

import sys

from recipes.launch import launch


def main() -> int:
    """Train a model according to a recipe. Return the exit code."""
    return launch("plm", "Training of discriminative coders on notes and spans.")


if __name__ == "__main__":
    sys.exit(main())
