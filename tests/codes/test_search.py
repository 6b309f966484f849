from __future__ import annotations

import bm25s

from cclearn.codes import CodeSystem
from cclearn.codes.search import RETRIEVED, _index, _retrieved, search


def test_search_ranks_the_nearest_first(system: CodeSystem) -> None:
    assert search(system, "type 2 diabetes mellitus")[0].code.code == "E11"
    assert search(system, "high blood pressure")[0].code.code == "I10"
    hits = search(system, "pneumonia", limit=5)
    assert len({hit.code.code for hit in hits}) == 5
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert search(system, "xyzzy") == []
    assert search(system, "") == []


def test_retrieval_equals_that_of_bm25s(system: CodeSystem) -> None:
    index, _ = _index(system)
    for text in ("acute kidney failure", "fracture of left femur", "heart", "cough in the morning"):
        tokens = bm25s.tokenize([text], show_progress=False)
        rows, scores = index.retrieve(tokens, k=RETRIEVED, show_progress=False)
        least = scores[0][-1]
        theirs = {int(row) for row, score in zip(rows[0], scores[0], strict=True) if score > 0}
        own = _retrieved(index, text)
        assert len(own) == len(set(own)) == len(theirs)
        # Rows of the lowest score taken are many; which of them come is theirs and ours to choose.
        certain = {int(r) for r, s in zip(rows[0], scores[0], strict=True) if s > max(least, 0)}
        assert certain <= set(own)
