from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import BertConfig, ModernBertConfig, RobertaConfig

from cclearn.baselines.model import PlmConfig, PlmModel

CODES = ["I10", "E11.9", "J45.909"]
SMALL = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
    "vocab_size": 50, "pad_token_id": 1,
}  # fmt: skip
ENCODERS = {
    "bert": BertConfig(**SMALL, max_position_embeddings=64),
    "roberta": RobertaConfig(**SMALL, max_position_embeddings=64),
    "modernbert": ModernBertConfig(**SMALL, max_position_embeddings=64),
}


def model(encoder: str = "roberta", head: str = "plm_ca", chunk: int = 8) -> PlmModel:
    torch.manual_seed(0)
    config = PlmConfig(
        encoder=ENCODERS[encoder].to_dict(), head=head, codes=CODES, chunk=chunk, encode_batch=2
    )
    return PlmModel(config).eval()


def batch(*lengths: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the tokens of documents, with padding, and their mask."""
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(2, 50, (len(lengths), max(lengths)), generator=generator)
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    return ids.masked_fill(mask == 0, 1), mask


@pytest.mark.parametrize("encoder", ENCODERS)
def test_logits_depend_neither_on_padding_nor_on_other_documents(encoder: str) -> None:
    made = model(encoder)
    ids, mask = batch(21, 8, 3)
    with torch.no_grad():
        together = made(ids, mask).logits
        for number, length in enumerate((21, 8, 3)):
            alone = made(ids[number : number + 1, :length], mask[number : number + 1, :length])
            torch.testing.assert_close(alone.logits[0], together[number], atol=1e-5, rtol=1e-4)
        wide = torch.nn.functional.pad(ids, (0, 30), value=1)
        wide_mask = torch.nn.functional.pad(mask, (0, 30))
        torch.testing.assert_close(made(wide, wide_mask).logits, together, atol=1e-5, rtol=1e-4)
    # With gradients, all chunks are encoded at once.
    torch.testing.assert_close(made(ids, mask).logits, together, atol=1e-5, rtol=1e-4)


def test_each_chunk_is_read_by_itself() -> None:
    made = model(chunk=8)
    ids, mask = batch(16)
    with torch.no_grad():
        whole = made.hidden_states(ids, mask)
        halves = [made.hidden_states(part, mask[:, :8]) for part in ids.split(8, dim=1)]
    torch.testing.assert_close(whole, torch.cat(halves, dim=1))


def test_a_document_without_tokens_has_logits() -> None:
    made = model()
    with torch.no_grad():
        output = made(torch.ones(2, 5, dtype=torch.long), torch.zeros(2, 5, dtype=torch.long))
    assert output.logits.shape == (2, 3)
    assert output.logits.isfinite().all()


@pytest.mark.parametrize("head", ["plm_icd", "plm_ca", "gki_icd", "descriptions"])
def test_a_saved_model_is_the_same(head: str, tmp_path: Path) -> None:
    made = model(head=head)
    if head == "descriptions":
        made.head.start_from(torch.randn(3, 16))  # type: ignore[operator]
    made.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").exists()
    assert not list(tmp_path.glob("*.bin"))
    again = PlmModel.from_pretrained(tmp_path)
    assert again.config.codes == CODES
    ids, mask = batch(9, 4)
    with torch.no_grad():
        torch.testing.assert_close(again(ids, mask).logits, made(ids, mask).logits)


def test_a_few_steps_lower_the_loss() -> None:
    made = model(head="plm_icd").train()
    ids, mask = batch(12, 7)
    labels = torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    optimizer = torch.optim.AdamW(made.parameters(), lr=1e-2)
    losses = []
    for _ in range(30):
        loss = made(ids, mask, labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def test_texts_are_encoded_without_their_padding() -> None:
    made = model()
    ids, mask = batch(6, 3)
    found = made.encoded_texts(ids, mask)
    alone = made.encoded_texts(ids[1:, :3], mask[1:, :3])
    assert found.shape == (2, 16)
    torch.testing.assert_close(found[1:], alone, atol=1e-5, rtol=1e-4)


def test_an_encoder_that_was_published_in_16_bits_is_used_in_32(tmp_path: Path) -> None:
    encoder = {**ENCODERS["bert"].to_dict(), "dtype": "bfloat16"}
    made = PlmModel(PlmConfig(encoder=encoder, head="plm_icd", codes=CODES, chunk=8))
    made.save_pretrained(tmp_path)
    again = PlmModel.from_pretrained(tmp_path)
    assert {weight.dtype for weight in again.parameters()} == {torch.float32}
    ids, mask = batch(9)
    assert again(ids, mask).logits.isfinite().all()


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_batch_without_tokens_has_gradients_of_all_weights(encoder: str) -> None:
    made = model(encoder, "plm_icd").train()
    empty = torch.zeros(1, 1, dtype=torch.long)
    made(empty + 1, empty, torch.zeros(1, len(CODES))).loss.backward()
    assert all(weight.grad is not None for weight in made.parameters())
    assert all(
        weight.grad.isfinite().all() for weight in made.parameters() if weight.grad is not None
    )


def test_a_configuration_without_thresholds_of_evidence_has_the_defaults() -> None:
    assert PlmConfig().evidence_thresholds == {"attingrad": 0.05, "attention": 0.05}
    tuned = PlmConfig(evidence_thresholds={"attingrad": 0.2})
    assert tuned.evidence_thresholds == {"attingrad": 0.2, "attention": 0.05}
