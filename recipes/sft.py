"""Supervised fine-tuning on span rows and document rows.

    accelerate launch recipes/sft.py --config recipes/tiny/mixed.yaml [--overwrite] [key=value ...]

From an installed package: `accelerate launch -m recipes.sft --config tiny/mixed`.
"""

from __future__ import annotations

import argparse
import sys

from cclearn.errors import CclearnError
from cclearn.progress import quiet_libraries, step_bar


def main() -> int:
    """Read the recipe, train, and say where the run is. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--config", required=True, help="a YAML file, or a name such as tiny/mixed")
    parser.add_argument("--overwrite", action="store_true", help="replace the output folder")
    parser.add_argument("overrides", nargs="*", help="key.sub=value, e.g. training.steps=100")
    arguments = parser.parse_args()
    try:
        from cclearn.training.recipe import load_recipe

        recipe = load_recipe(arguments.config, arguments.overrides)

        from cclearn.training.sft import run_sft

        quiet_libraries()
        with step_bar(f"training {recipe.name}") as progress:
            folder = run_sft(recipe, arguments.overwrite, progress)
    except CclearnError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"The model is in {folder}. Next: cclearn code note.txt --model {folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
