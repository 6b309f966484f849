from __future__ import annotations

from cclearn.rows import examples
from tests.training.runs import ROOT


def test_every_spacy_configuration_states_its_command() -> None:
    found = sorted((ROOT / "recipes" / "spacy").glob("*.cfg"))
    assert [path.stem for path in found] == ["ner", "spancat"]
    assert examples.SPANS_KEY == "sc"
    for path in found:
        header = path.read_text().split("[paths]")[0]
        assert f"#   python -m spacy train recipes/spacy/{path.name} " in header
        assert "#   cclearn code " in header
