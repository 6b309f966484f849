"""A real server: `transformers serve` on loopback, with a tiny model that has learnt a few notes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.engines import Request
from cclearn.engines.local import LocalEngine
from cclearn.engines.openai import OpenAIEngine
from cclearn.engines.settings import EngineSettings
from cclearn.notes import Note
from cclearn.prompts import document_prompt
from cclearn.prompts.encoding import encode_completion, encode_prompt
from cclearn.training.scratch import make_tokenizer
from tests.models import SHAPE, rows

pytestmark = pytest.mark.slow

LEARNT = {
    "Admitted with pneumonia.": "- pneumonia => J18.9",
    "Essential hypertension. No stroke.": "- Essential hypertension => I10",
    "Type 2 diabetes mellitus, shortness of breath.": (
        "- Type 2 diabetes mellitus => E11.9\n- shortness of breath => R06.02"
    ),
    "Plan: follow-up.": "none",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose answers to the learnt notes are right."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokenizer = make_tokenizer(rows(), SHAPE.vocabulary)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=1024,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model: Any = LlamaForCausalLM(config)
    ids, labels = [], []
    for text, answer in LEARNT.items():
        prompt = document_prompt(text)
        asked = encode_prompt(tokenizer, prompt)
        answered = encode_completion(tokenizer, prompt, answer)
        ids.append(torch.tensor(asked + answered))
        labels.append(torch.tensor([-100] * len(asked) + answered))
    batch = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True)
    wanted = torch.nn.utils.rnn.pad_sequence(labels, batch_first=True, padding_value=-100)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(300):
        loss = model(input_ids=batch, labels=wanted).loss
        if loss.item() < 0.01:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    path = tmp_path_factory.mktemp("served") / "model"
    model.eval().save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """The server's address, once it is healthy."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from transformers.cli.transformers import app; app()"]
    command += ["serve", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    log = folder.parent / "log"
    with log.open("wb") as stream:
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        server = subprocess.Popen(
            [*command, "--device", "cpu"], env=environment, stdout=stream, stderr=stream
        )
    try:
        for _ in range(600):
            assert server.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(timeout=30)


def test_a_real_server_codes_notes_in_order(folder: Path, url: str, system: CodeSystem) -> None:
    texts = list(LEARNT) * 4
    settings = EngineSettings(base_url=url, concurrency=4, max_new_tokens=48, cache=Path("off"))
    coder = Coder.load(f"openai:{folder}", system, engine=settings)
    notes = (Note(id=str(number), text=text) for number, text in enumerate(texts))
    coded = list(coder.code_many(notes))
    assert [note.id for note in coded] == [str(number) for number in range(16)]
    for note in coded:
        assert [note.flags, note.invalid, note.ungrounded] == [[], [], []]
        found = [(a.evidence[0].text, a.code) for a in note.codes]
        lines = LEARNT[note.text].splitlines()
        expected = [tuple(line[2:].split(" => ")) for line in lines if line != "none"]
        assert sorted(found) == sorted(expected)
    assert coder.usage.answer_tokens > 16 * 2


def test_a_real_server_answers_as_the_local_engine(folder: Path, url: str) -> None:
    texts = [*LEARNT, "Family history: Father with stroke.", "20 mg", "Acute infarction. " * 9]
    asked = [Request(str(n), document_prompt(text)) for n, text in enumerate(texts)]
    server = OpenAIEngine(str(folder), base_url=url, concurrency=3, max_new_tokens=24)
    local = LocalEngine.load(folder, batch_size=1, max_new_tokens=24)
    theirs = list(server.generate(asked))
    for their, our in zip(theirs, local.generate(asked), strict=True):
        assert (their.id, their.text, their.complete) == (our.id, our.text, our.complete)
        assert their.prompt_tokens == our.prompt_tokens
        assert their.answer_tokens == our.answer_tokens
    assert {answer.complete for answer in theirs} == {True, False}


def test_what_a_real_server_cannot_do(folder: Path, url: str) -> None:
    asked = [Request(str(n), document_prompt(text)) for n, text in enumerate(LEARNT)]
    other = OpenAIEngine("other", base_url=url, retries=0)
    assert {answer.problem for answer in other.generate(asked)} == {"http_400"}
    # It gives no log-probabilities: so there are no scores, and the answers are the same.
    scored = OpenAIEngine(str(folder), base_url=url, retries=0, log_probabilities=True)
    answers = list(scored.generate(asked))
    assert [answer.text for answer in answers] == list(LEARNT.values())
    assert not any(answer.problem or answer.pieces for answer in answers)
