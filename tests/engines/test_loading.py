from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cclearn.engines import Request
from cclearn.engines.loading import Loading, weights_size
from cclearn.engines.local import LocalEngine
from cclearn.engines.registry import load_engine
from cclearn.engines.settings import EngineSettings
from cclearn.errors import ConfigurationError
from cclearn.prompts import document_prompt
from cclearn.prompts.grammar import document_grammar
from cclearn.training.scratch import make_model, make_tokenizer
from tests.models import SHAPE, rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as a recipe writes it, with matrices that are large enough for bitsandbytes."""
    path = tmp_path_factory.mktemp("loading") / "model"
    tokenizer = make_tokenizer(rows(), SHAPE.vocabulary)
    shape = SHAPE.model_copy(update={"hidden_size": 128, "intermediate_size": 128})
    make_model(shape, tokenizer, max_length=512).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def loaded(folder: Path, **settings: str) -> LocalEngine:
    engine = load_engine(str(folder), EngineSettings.model_validate(settings))
    assert isinstance(engine, LocalEngine)
    text = "Chest pain."
    request = Request("n", document_prompt(text), document_grammar(text, "I10"))
    (answer,) = engine.generate([request])
    assert answer.problem is None
    assert engine.variant in engine.identity
    return engine


def test_a_model_is_loaded_in_the_format_that_is_asked_for(folder: Path) -> None:
    plain = loaded(folder)
    assert plain.model.dtype == torch.float32
    assert plain.variant == ""
    half = loaded(folder, dtype="bfloat16")
    assert half.model.dtype == torch.bfloat16
    assert half.variant == "dtype=bfloat16"
    spread = loaded(folder, device_map="auto")
    assert spread.identity == plain.identity != half.identity


@pytest.mark.parametrize(("has_bf16", "used"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_cpu_without_bf16_computes_in_fp32(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_bf16: bool, used: torch.dtype
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("cclearn.engines.loading.cpu_has_bf16", lambda: has_bf16)
    model = LocalEngine.load(folder, loading=Loading(dtype="bfloat16"))
    model.model.save_pretrained(tmp_path)
    model.tokenizer.save_pretrained(tmp_path)
    assert loaded(tmp_path).model.dtype == used
    assert loaded(tmp_path).variant == ""
    assert loaded(tmp_path, dtype="bfloat16").model.dtype == torch.bfloat16


@pytest.mark.filterwarnings("ignore")  # bitsandbytes on a CPU.
def test_a_model_is_quantised(folder: Path) -> None:
    engine = loaded(folder, quantise="nf4")
    kinds = {type(module).__name__ for module in engine.model.modules()}
    assert "Linear4bit" in kinds
    assert engine.variant == "quantise=nf4"


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_stays_beside_a_quantised_model(folder: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    get_peft_model(LocalEngine.load(folder).model, config).save_pretrained(tmp_path)
    engine = loaded(tmp_path, quantise="nf4", dtype="float32")
    assert hasattr(engine.model, "peft_config")
    whole = weights_size(str(folder), Loading())
    assert whole < weights_size(str(tmp_path), Loading()) < 1.1 * whole


def test_the_size_of_a_model_is_that_of_its_weights(folder: Path) -> None:
    model = loaded(folder).model
    parameters = sum(weight.numel() for weight in model.parameters())
    assert weights_size(str(folder), Loading()) == 4 * parameters
    assert weights_size(str(folder), Loading(dtype="float16")) == 2 * parameters
    assert weights_size(str(folder), Loading(quantise="nf4")) < 4 * parameters
    assert weights_size("owner/not-in-the-cache", Loading()) == 0


def test_a_model_that_does_not_fit_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cclearn.engines.loading._free_memory", lambda *_: 1000)
    monkeypatch.setattr("cclearn.engines.loading.cpu_has_bf16", lambda: True)
    with pytest.raises(ConfigurationError) as caught:
        LocalEngine.load(folder)
    (problem,) = caught.value.problems
    assert problem.startswith(
        f"model (model = {folder}): its weights take 0.0 GiB, and 0.0 GiB of "
    )
    assert "Use --engine quantise=nf4, " in problem
    with pytest.raises(ConfigurationError, match=r"are free\. Use a smaller model\."):
        LocalEngine.load(folder, loading=Loading("nf4", device_map="auto"))
    # It was not asked for, so the message names the smaller format.
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("cclearn.engines.loading.cpu_has_bf16", lambda: False)
    with pytest.raises(ConfigurationError, match=r"Use .*--engine dtype=bfloat16, or a smaller"):
        LocalEngine.load(folder)


def test_a_lack_of_memory_while_loading_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **options: object) -> None:
        raise torch.OutOfMemoryError("what a GPU says")

    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", fail)
    with pytest.raises(ConfigurationError, match="the memory is too small"):
        LocalEngine.load(folder)


def test_a_model_on_all_gpus_takes_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    assert LocalEngine.gpus(EngineSettings()) == 1
    assert LocalEngine.gpus(EngineSettings(device_map="auto")) == 4
