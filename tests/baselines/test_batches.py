from __future__ import annotations

from cclearn.baselines.batches import padded


def test_documents_are_filled_up_and_masked() -> None:
    tokens, mask = padded([[5, 6, 7], [], [8]], pad=1)
    assert tokens.tolist() == [[5, 6, 7], [1, 1, 1], [8, 1, 1]]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 0], [1, 0, 0]]


def test_a_batch_of_empty_documents_has_one_token_of_padding() -> None:
    tokens, mask = padded([[], []])
    assert tokens.shape == mask.shape == (2, 1)
    assert not mask.any()
