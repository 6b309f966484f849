from __future__ import annotations

import re
from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file

from cclearn.errors import ConfigurationError, DataError
from cclearn.training.checkpoints import fingerprint
from cclearn.training.recipe import Recipe
from cclearn.training.recipe_file import load_recipe, packaged_recipes
from cclearn.workflows.train import stage_of
from tests.training.recipe_headers import EXAMPLE_OVERRIDES, recipe_header

RECIPES = Path(__file__).parents[2] / "recipes"
GOOD = (RECIPES / "tiny" / "sft_scratch.yaml").read_text()
MODEL = ["model.scratch=null", "model.path=x"]


def test_every_packaged_recipe_is_valid() -> None:
    found = [
        path
        for path in RECIPES.rglob("*.yaml")
        if path.parent.name not in ("accelerate", "rare_codes")
    ]
    assert len(found) == len(packaged_recipes()) == 31
    for path in found:
        recipe = load_recipe(path)
        name = path.relative_to(RECIPES).with_suffix("").as_posix()
        assert recipe.name == re.sub("[/_]", "-", name)


@pytest.mark.parametrize("name", packaged_recipes())
def test_a_packaged_recipe_describes_itself(name: str) -> None:
    recipe = load_recipe(name)
    for field in ("description", "hardware", "memory", "time", "data", "command"):
        assert getattr(recipe, field), field
    assert f"recipes/{stage_of(recipe)}.py --config recipes/{name}.yaml" in (recipe.command or "")
    # The model is the result of another command.
    made = recipe.grpo is not None or str(recipe.model.path).startswith("models/")
    assert (recipe.prerequisite is not None) == made
    text = packaged_recipes()[name].read_text()
    assert text.startswith(recipe_header(recipe)), "Run python -m tests.training.recipe_headers"
    assert text.removeprefix(recipe_header(recipe)).startswith("name: ")


@pytest.mark.parametrize("name", packaged_recipes())
def test_the_ablations_of_a_packaged_recipe_can_be_run(name: str) -> None:
    recipe = load_recipe(name)
    load_recipe(name, EXAMPLE_OVERRIDES.split())
    orders = {
        ablation: load_recipe(name, overrides.split()).rows.order
        for ablation, overrides in recipe.ablations.items()
    }
    assert orders == {ablation: ablation for ablation in orders}
    if recipe.grpo is None and "span" in {source.kind for source in recipe.rows.sources}:
        assert {"document_only", "span_only"} <= set(orders)


def test_metadata_are_optional_and_are_no_settings_of_the_run() -> None:
    described = load_recipe("tiny/sft_scratch")
    plain = Recipe.model_validate(described.settings())
    assert (plain.description, plain.hardware, plain.ablations) == (None, None, {})
    assert plain.settings() == described.settings()
    assert fingerprint(plain) == fingerprint(described)
    assert not {"description", "hardware", "command"} & set(fingerprint(described))
    with pytest.raises(ConfigurationError, match=r"descripton: unknown key\. Did you mean 'descr"):
        load_recipe("tiny/sft_scratch", ["descripton=x"])


def test_every_launch_configuration_is_valid() -> None:
    found = sorted((RECIPES / "accelerate").glob("*.yaml"))
    names = ["cpu", "cpu_processes", "ddp", "fsdp_qlora", "single_gpu", "zero3"]
    assert [path.stem for path in found] == names
    for path in found:
        config = load_config_from_file(str(path))
        assert config.num_processes >= 1
        launch = f"#   accelerate launch --config_file recipes/accelerate/{path.name} "
        assert launch in path.read_text()


def test_ablations_differ_only_in_their_rows() -> None:
    mixed = load_recipe("tiny/sft_scratch")
    document = load_recipe("tiny/sft_scratch", ["rows.order=document_only"])
    span = load_recipe("tiny/sft_scratch", ["rows.order=span_only"])
    assert document.training == span.training == mixed.training
    assert [s.kind for s in span.rows.used] == ["span"]
    assert [s.kind for s in document.rows.used] == ["document"]
    assert [s.kind for s in mixed.rows.used] == ["span", "document"]
    assert len(mixed.rows.files) == 2


def test_a_packaged_recipe_is_found_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_recipe("tiny/sft_scratch") == load_recipe(RECIPES / "tiny" / "sft_scratch.yaml")
    with pytest.raises(
        DataError, match=r"no such recipe\. Did you mean 'tiny/sft_scratch'\? There are: "
    ):
        load_recipe("tiny/sft_scrach")


def test_overrides() -> None:
    recipe = load_recipe(
        "tiny/sft_scratch",
        ["training.steps=7", "rows.sources.1.path=a b.jsonl", "output=out", "seed=3"],
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
            ["training.steps=-1", "rows.overflow=trim", "modell.path=x"],
            ["training.steps: ", "rows.overflow: ", "modell: unknown key. Did you mean 'model'?"],
        ),
        (["rows.sources.0.share=null"], ["rows: sources: give every source a share, or none"]),
        (["rows.sources.9.path=x"], ["rows.sources.9.path=x): the recipe has no such key"]),
        (["training"], ["override (training): it is not of the form key=value"]),
        (["model.path=x"], ["model: give either path or scratch"]),
        (["model.scratch.heads=3"], ["hidden_size = 128 is not a multiple of 2 * heads = 6"]),
        (["name=a/b"], ["name: "]),
        (["training.epochs=1"], ["training: give either steps or epochs"]),
        (["training.steps=null"], ["training: give either steps or epochs"]),
        (
            ["rows.mixing=proportional", *(f"rows.sources.{n}.share=0.5" for n in (0, 1))],
            ["rows: mixing: proportional takes no shares"],
        ),
        (
            [
                *("rows.order=span_then_document", "training.steps=null", "training.epochs=1"),
                *("rows.sources.1.kind=span",),
            ],
            ["rows: order: span_then_document needs sources of both kinds"],
        ),
        (["rows.temperature=2"], ["rows: temperature: it requires mixing: proportional"]),
        (
            ["rows.sources.1.grades={gold: 1}"],
            ["rows.sources.1: grades and most_per_code are for span rows"],
        ),
        (["rows.sources.1.negatives=2"], ["rows.sources.1: negatives are span rows: set them for"]),
        (["rows.sources.1.negatives=-1"], ["rows.sources.1.negatives: "]),
        (["rows.sources.0.segments=sentence"], ["rows.sources.0: segments are parts of notes"]),
        (["rows.sources.1.segments=words"], ["rows.sources.1.segments: "]),
        (["rows.sources.1.empty=0.5"], ["rows.sources.1: empty requires segments: set"]),
        (
            ["rows.sources.0={kind: span, path: x, share: 1, negatives: 1, grades: {gold: 1}}"],
            ["rows.sources.0: grades are for span pairs: with negatives the file contains notes"],
        ),
        (["rows.sources.0.grades={golden: 1}"], ["rows.sources.0.grades.golden"]),
        (["development={best: code_f1}"], ["development: best: code_f1 needs notes to code"]),
        (["development={best: null, patience: 2}"], ["development: patience: it counts from the"]),
        (["development={share: 1}"], ["development.share: "]),
        (["adapter={kind: lora}"], ["adapter: a model with random weights cannot be adapted"]),
        (["adapter={kind: lora}", *MODEL], ["training.optimizer: muon cannot train an adapter"]),
        (
            ["rows.order=span_then_document"],
            ["training.epochs: with rows.order = span_then_document"],
        ),
        (["adapter.quantisation.typ=nf4"], ["adapter.quantisation.typ: unknown key. Did you"]),
        (["grpo={}"], ["model.scratch: grpo needs a fine-tuned model"]),
        (
            ["grpo={generations: 5, answer_length: 64}", "rows.order=document_only", *MODEL],
            [
                "training.batching: grpo needs batches of rows; set padded; training.batch_size * acc"
            ],
        ),
        (["training.batch_size=4"], ["training: batch_size: grouped batches have a number of tok"]),
        (["training.batching=padded"], ["training: batch_tokens: batches of padded rows have"]),
        (
            ["rows.order=span_then_document", "training.steps=null", "training.epochs=1.5"],
            ["training.epochs: with rows.order = span_then_document"],
        ),
    ],
)
def test_all_errors_are_reported_together(overrides: list[str], messages: list[str]) -> None:
    with pytest.raises(ConfigurationError) as error:
        load_recipe("tiny/sft_scratch", overrides)
    assert len(error.value.problems) == len(messages)
    for message in messages:
        assert message in str(error.value)


def test_an_error_names_file_line_and_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD.replace("  learning_rate:", "  learning_rat:"))
    line = next(
        n for n, text in enumerate(path.read_text().split("\n"), 1) if "learning_rat:" in text
    )
    with pytest.raises(ConfigurationError) as error:
        load_recipe(path)
    message = f"{path}:{line}: training.learning_rat: unknown key. Did you mean 'learning_rate'?"
    assert message in str(error.value)
    assert "training.learning_rate: missing" in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [", ":1: not YAML|:2: not YAML"),
        (b"- a", "not a mapping"),
        (b"", "not a mapping"),
        (b"\xff", "not UTF-8"),
        (b"a: !!python/object/apply:os.system [ls]", "not YAML"),
        (b"a: &r [*r]", "a value contains itself"),
        (b"name: 0x" + b"f" * 6_000, "name: Input should be a valid string"),
    ],
)
def test_a_file_that_is_not_a_recipe_is_refused(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises((DataError, ConfigurationError), match=message):
        load_recipe(path)
