"""The command line that the scripts of all stages share.

The run itself is in `cclearn.workflows.train`.
"""

from __future__ import annotations

import argparse
import sys

from cclearn.errors import CclearnError, unexpected_errors, visible
from cclearn.runtime.debugging import report_error, start_debugging


def launch(stage: str, description: str) -> int:
    """Read the command line and the recipe, train the model, and print its path.

    Args:
        stage: Stage of training: `sft`, `grpo` or `plm`.
        description: Description of the script for its help.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--config", required=True, help="a YAML file, or a name such as tiny/sft_scratch"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the output folder")
    parser.add_argument(
        "--resume",
        metavar="auto|FOLDER",
        help="resume from the last complete checkpoint, or from the given one",
    )
    parser.add_argument(
        "--processes", type=int, help="refuse to run with any other number of processes"
    )
    parser.add_argument("overrides", nargs="*", help="key.sub=value, e.g. training.steps=100")
    arguments = parser.parse_args()
    start_debugging()
    try:
        with unexpected_errors():
            return _run(stage, arguments)
    except CclearnError as error:
        report_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        from cclearn.workflows.train import STOPPED

        sys.stderr.write(f"{STOPPED}\n")
        return 130


def _run(stage: str, arguments: argparse.Namespace) -> int:
    from cclearn.training.recipe_file import load_recipe

    recipe = load_recipe(arguments.config, arguments.overrides)

    from cclearn.runtime.processes import leave_process_group
    from cclearn.workflows.train import train

    resume, processes = arguments.resume, arguments.processes
    folder, is_main = train(stage, recipe, arguments.overwrite, resume, processes)
    leave_process_group()
    if is_main:
        shown = visible(str(folder))
        sys.stdout.write(f"The model is in {shown}. Next: cclearn code note.txt --model {shown}\n")
    return 0
