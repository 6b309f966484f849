"""The comment at the beginning of each packaged recipe, which is generated from the recipe's fields.

    python -m tests.training.recipe_headers

writes the comments anew.
"""

from __future__ import annotations

from cclearn.training.recipe import Recipe
from cclearn.training.recipe_file import load_recipe, packaged_recipes

EXAMPLE_OVERRIDES = "seed=1 output=runs/two"


def recipe_header(recipe: Recipe) -> str:
    """Return the comment of a recipe."""
    commands = [line for line in (recipe.data or "").splitlines() if line.startswith("cclearn ")]
    made = "".join(f"#   {command}\n" for command in commands)
    data = f"#\n# The data:\n#\n{made}" if made else ""
    start = "#\n# The training:\n" if made else ""
    reference = f"# {recipe.reference}\n" if recipe.reference else ""
    return f"""\
# {recipe.description}
{reference}{data}{start}#
#   {recipe.command}
#
# Settings can be overridden on the command line:
#
#   {recipe.command} {EXAMPLE_OVERRIDES}
"""


def main() -> None:
    """Write the comments of all packaged recipes."""
    for name, path in packaged_recipes().items():
        fields = path.read_text()[path.read_text().index("name: ") :]
        path.write_text(recipe_header(load_recipe(name)) + fields)


if __name__ == "__main__":
    main()
