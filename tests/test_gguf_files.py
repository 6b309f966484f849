from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from cclearn.errors import ConfigurationError
from cclearn.gguf_files import convert_gguf, model_folder
from cclearn.models import adapter_base, load_config, load_model, load_tokenizer, model_hash
from cclearn.runtime.files import sha256_of_file
from tests.gguf_models import write_gguf

TENSOR = "blk.0.ffn_down.weight"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CCLEARN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_gguf_file_is_loaded_like_a_folder(tmp_path: Path, cache: Path) -> None:
    from gguf import GGUFReader

    file = write_gguf(tmp_path / "tiny.gguf")
    model = load_model(str(file), dtype="auto")
    assert model.dtype == torch.bfloat16
    assert model.name_or_path == str(file)  # An adapter would record it as its base.
    stored = next(tensor for tensor in GGUFReader(file).tensors if tensor.name == TENSOR)
    expected = torch.from_numpy(np.array(stored.data)).to(torch.bfloat16)
    assert torch.equal(model.model.layers[0].mlp.down_proj.weight, expected)
    tokenizer = load_tokenizer(str(file))
    assert tokenizer.decode(tokenizer("hello")["input_ids"], skip_special_tokens=True) == "hello"
    assert load_config(str(file)).hidden_size == model.config.hidden_size
    assert model_hash(file) == sha256_of_file(file)
    # It is converted once.
    folder = Path(model_folder(str(file)))
    assert folder.parent == cache / "gguf"
    assert [path.name for path in folder.parent.iterdir()] == [sha256_of_file(file)]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["gguf"] == {"file": "tiny.gguf", "sha256": sha256_of_file(file)}
    assert (folder / "model.safetensors").stat().st_mode & 0o777 == 0o600


def test_the_base_of_an_adapter_may_be_a_gguf_file(tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "tiny.gguf")
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_model.safetensors").touch()
    (folder / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": str(file), "peft_type": "LORA"})
    )
    assert adapter_base(folder) == (str(file), None)
    file.unlink()
    with pytest.raises(ValueError, match="its base model is missing"):
        adapter_base(folder)


def problem_of(file: Path, folder: Path) -> str:
    folder.mkdir()
    with pytest.raises(ConfigurationError) as caught:
        convert_gguf(file, folder)
    assert not list(folder.iterdir())
    (problem,) = caught.value.problems
    assert problem.startswith(f"model (path = {file}): ")
    assert "\n" not in problem
    return problem


def test_an_unsupported_architecture_is_named(tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "tiny.gguf", architecture="unheard-of")
    assert "does not support its architecture, unheard-of." in problem_of(file, tmp_path / "out")


@pytest.mark.parametrize("kept", [0, 10, 200, 5_000, -40])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: int) -> None:
    file = write_gguf(tmp_path / "tiny.gguf")
    file.write_bytes(file.read_bytes()[:kept])
    assert "truncated or damaged" in problem_of(file, tmp_path / "out")


def test_a_tokenizer_larger_than_the_model_is_refused(tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "tiny.gguf", tokens=200)
    assert "260 tokens and the model only 200" in problem_of(file, tmp_path / "out")
    # Embeddings are often padded to a multiple of 64.
    (tmp_path / "padded").mkdir()
    convert_gguf(write_gguf(tmp_path / "padded.gguf", tokens=320), tmp_path / "padded")


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    from gguf import GGUFReader

    file = write_gguf(tmp_path / "tiny.gguf")
    reader = GGUFReader(file, "r+")
    next(tensor for tensor in reader.tensors if tensor.name == TENSOR).data[0, 0] = np.nan
    reader.data.flush()
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(ConfigurationError, match="not finite"):
        convert_gguf(file, folder)


def test_other_names_are_not_converted(tmp_path: Path) -> None:
    assert model_folder("owner/name.gguf") == "owner/name.gguf"
    assert model_folder(str(tmp_path)) == str(tmp_path)
