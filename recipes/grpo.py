"""Reinforcement learning on notes after fine-tuning.

    accelerate launch recipes/grpo.py --config recipes/qwen3-0.6b/grpo.yaml
        [--overwrite | --resume auto] [--processes N] [key=value ...]

From an installed package: `accelerate launch -m recipes.grpo --config qwen3-0.6b/grpo`.
"""

from __future__ import annotations

import sys

from recipes.launch import launch


def main() -> int:
    """Train a model according to a recipe. Return the exit code."""
    return launch("grpo", "Reinforcement learning on notes after fine-tuning.")


if __name__ == "__main__":
    sys.exit(main())
