from __future__ import annotations

import torch
from transformers import Gemma3TextConfig
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from cclearn.engines.attention_cache import PreallocatedLayer, preallocated_cache
from tests.models import random_engine


def test_it_holds_what_the_library_s_own_holds() -> None:
    torch.manual_seed(0)
    ours, theirs = PreallocatedLayer(), DynamicLayer()
    # Room is made twice: 5 + 70 + 70 * 1 tokens.
    for tokens in (5, 70, *[1] * 70):
        keys, values = torch.rand(2, 3, tokens, 4), torch.rand(2, 3, tokens, 4)
        for one, other in zip(ours.update(keys, values), theirs.update(keys, values), strict=True):
            assert torch.equal(one, other)
        assert ours.get_seq_length() == theirs.get_seq_length()
    assert ours.get_mask_sizes(1) == theirs.get_mask_sizes(1)


def test_a_model_writes_the_same_with_it() -> None:
    model = random_engine(2).model
    ids = torch.randint(5, 400, (3, 20))
    asked = {"max_new_tokens": 90, "min_new_tokens": 90, "do_sample": False, "pad_token_id": 0}
    mask = torch.ones_like(ids)
    mask[0, :7] = 0
    written = [
        model.generate(input_ids=ids, attention_mask=mask, past_key_values=cache, **asked)
        for cache in (preallocated_cache(model), DynamicCache(config=model.config))
    ]
    assert torch.equal(*written)


def test_sliding_windows_keep_their_own_layers() -> None:
    class Windowed:
        config = Gemma3TextConfig(num_hidden_layers=6, sliding_window=16)

    kinds = [type(layer) for layer in preallocated_cache(Windowed()).layers]  # type: ignore[arg-type]
    assert kinds == [DynamicSlidingWindowLayer] * 5 + [PreallocatedLayer]
