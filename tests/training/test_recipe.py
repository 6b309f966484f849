from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.errors import ConfigurationError, DataError
from cclearn.training.recipe import Recipe, load_recipe

RECIPES = Path(__file__).parents[2] / "recipes"
GOOD = (RECIPES / "tiny" / "mixed.yaml").read_text()


def test_every_recipe_is_valid() -> None:
    found = [path for path in RECIPES.rglob("*.yaml") if path.parent.name != "accelerate"]
    assert len(found) == 3
    for path in found:
        recipe = load_recipe(path)
        assert recipe.name == path.relative_to(RECIPES).with_suffix("").as_posix().replace("/", "-")
        text = path.read_text()
        for heading in ("# Purpose", "# Hardware", "# Data", "# Launch", "# Override"):
            assert heading in text, f"{path}: {heading}"
        name = path.relative_to(RECIPES.parent).as_posix()
        assert f"accelerate launch recipes/sft.py --config {name}" in text


def test_the_arms_differ_in_their_rows_alone() -> None:
    arms = {name: load_recipe(f"tiny/{name}") for name in ("span", "document", "mixed")}
    for recipe in arms.values():
        assert recipe.model == arms["mixed"].model
        batch = arms["mixed"].training.batch_size
        assert recipe.training.model_copy(update={"batch_size": batch}) == arms["mixed"].training
    assert arms["span"].training.batch_size == arms["mixed"].training.batch_size
    assert [s.kind for s in arms["span"].rows.sources] == ["span"]
    assert [s.kind for s in arms["document"].rows.sources] == ["document"]
    assert [s.kind for s in arms["mixed"].rows.sources] == ["span", "document"]


def test_a_packaged_recipe_goes_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_recipe("tiny/mixed") == load_recipe(RECIPES / "tiny" / "mixed.yaml")
    with pytest.raises(
        DataError, match=r"no such recipe\. Did you mean 'tiny/mixed'\? There are: "
    ):
        load_recipe("tiny/mxed")


def test_overrides() -> None:
    recipe = load_recipe(
        "tiny/mixed", ["training.steps=7", "rows.sources.1.path=a b.jsonl", "output=out", "seed=3"]
    )
    assert isinstance(recipe, Recipe)
    assert recipe.training.steps == 7
    assert recipe.rows.sources[1].path == Path("a b.jsonl")
    assert (recipe.seed, recipe.output) == (3, Path("out"))


@pytest.mark.parametrize(
    ("overrides", "messages"),
    [
        (["training.step=7"], ["training.step: unknown key. Did you mean 'steps'?"]),
        (
            ["training.steps=-1", "rows.overflow=cut", "modell.path=x"],
            ["training.steps: ", "rows.overflow: ", "modell: unknown key. Did you mean 'model'?"],
        ),
        (["rows.sources.0.share=null"], ["rows: sources: give every source a share, or none"]),
        (["rows.sources.9.path=x"], ["rows.sources.9.path=x): the recipe has no such place"]),
        (["training"], ["override (training): it is not of the form key=value"]),
        (["model.path=x"], ["model: give either path or scratch"]),
        (["model.scratch.heads=3"], ["hidden_size = 128 is not a multiple of 2 * heads = 6"]),
        (["name=a/b"], ["name: "]),
    ],
)
def test_all_errors_are_told_at_once(overrides: list[str], messages: list[str]) -> None:
    with pytest.raises(ConfigurationError) as error:
        load_recipe("tiny/mixed", overrides)
    assert len(error.value.problems) == len(messages)
    for message in messages:
        assert message in str(error.value)


def test_an_error_names_file_line_and_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD.replace("  steps:", "  stepz:"))
    line = next(n for n, text in enumerate(path.read_text().split("\n"), 1) if "stepz" in text)
    with pytest.raises(ConfigurationError) as error:
        load_recipe(path)
    assert f"{path}:{line}: training.stepz: unknown key. Did you mean 'steps'?" in str(error.value)
    assert "training.steps: missing" in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [", ":1: not YAML|:2: not YAML"),
        (b"- a", "not a mapping"),
        (b"", "not a mapping"),
        (b"\xff", "not UTF-8"),
        (b"a: !!python/object/apply:os.system [ls]", "not YAML"),
    ],
)
def test_a_file_that_is_no_recipe(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_recipe(path)
