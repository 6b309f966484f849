from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.coding.templates import learnt_template
from cclearn.engines.local import LocalEngine
from cclearn.errors import CclearnError, ConfigurationError, DataError
from cclearn.model_manifest import read_manifest
from cclearn.models import adapter_base
from tests.models import SHAPE, rows


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's folder."""
    from cclearn.training.scratch import make_model, make_tokenizer

    folder = tmp_path_factory.mktemp("whole") / "model"
    tokenizer = make_tokenizer(rows(), SHAPE.vocabulary)
    make_model(SHAPE, tokenizer, max_length=128).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


SECRET = "the words of a note"


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        ("config.json", "hidden_size", SECRET),
        ("config.json", "rms_norm_eps", [SECRET]),
        ("config.json", "model_type", SECRET),
        ("tokenizer_config.json", "eos_token", [SECRET]),
        ("tokenizer_config.json", "added_tokens_decoder", {SECRET: SECRET}),
        ("tokenizer.json", "model", SECRET),
        ("tokenizer.json", "added_tokens", None),
    ],
)
def test_a_damaged_model_is_told_without_its_text(
    whole: Path, tmp_path: Path, file: str, key: str, value: object
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(whole, folder)
    fields = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**fields, key: value}))
    with pytest.raises(
        ConfigurationError, match=r"model \(model = .*\(\w+ in \w+/\w+\.\w+"
    ) as error:
        LocalEngine.load(folder)
    assert SECRET not in str(error.value)


def test_a_special_token_that_is_too_long_is_refused(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(whole, folder)
    fields = json.loads((folder / "tokenizer_config.json").read_text())
    fields["pad_token"] = "x" * 100_000
    (folder / "tokenizer_config.json").write_text(json.dumps(fields))
    with pytest.raises(ConfigurationError, match="special token of its tokenizer has 100,000"):
        LocalEngine.load(folder)


@pytest.mark.parametrize(
    "manifest",
    [
        '{"code_system": "words"}',
        '{"code_system": {"name": ["words"]}}',
        '{"recipe": {"rows": {"template": "words"}}}',
        '{"recipe": []}',
        '{"tokens_seen": "words"}',
        '["words"]',
        "[" * 100_000,
    ],
)
def test_a_manifest_of_wrong_types_is_refused(
    tmp_path: Path, system: CodeSystem, manifest: str
) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(DataError, match=r"manifest\.json") as error:
        read_manifest(tmp_path)
    assert "words" not in str(error.value)
    with pytest.raises(DataError):
        learnt_template(tmp_path, system)


def test_an_adapter_of_wrong_types_is_refused(tmp_path: Path) -> None:
    (tmp_path / "adapter_model.safetensors").touch()
    for settings in ('{"base_model_name_or_path": ["words"]}', "[]", "[" * 100_000):
        (tmp_path / "adapter_config.json").write_text(settings)
        with pytest.raises(CclearnError):
            adapter_base(tmp_path)
