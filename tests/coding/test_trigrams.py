from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from cclearn.coding.trigrams import Trigrams


@given(
    st.lists(st.text(st.sampled_from("abÄñ´ Σσ\n\t-3"), max_size=12)),
    st.lists(st.text(max_size=12)),
)
def test_vectors_are_those_of_scikit_learn(texts: list[str], others: list[str]) -> None:
    # The acute accent becomes a space and an accent, which is removed.
    texts = ["Dolor´de pecho", *texts]
    theirs = TfidfVectorizer(
        analyzer="char_wb",
        ngram_range=(3, 3),
        strip_accents="unicode",
        sublinear_tf=True,
        dtype=np.float32,
    )
    expected = theirs.fit_transform(texts)
    ours = Trigrams(texts)
    assert np.array_equal(ours.vectors.toarray(), expected.toarray())
    found = ours.weigh(ours.count([*texts, *others]))
    assert np.array_equal(found.toarray(), theirs.transform([*texts, *others]).toarray())
    assert found.dtype == ours.vectors.dtype == np.float32
