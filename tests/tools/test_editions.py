from __future__ import annotations

from pathlib import Path

from cclearn.codes import CodeSystem
from tools.editions import moved_conditions, replacements


def test_a_retired_code_was_replaced_by_codes_below_it_with_its_shape_or_above_it(
    system: CodeSystem,
) -> None:
    assert replacements("N18.3", system) == ["N18.30", "N18.31", "N18.32"]
    assert replacements("V20.0XXA", system) == ["V20.01XA", "V20.09XA"]
    assert replacements("V47.01XA", system) == ["V47.0XXA"]
    assert replacements("H81.41", system) == ["H81.4"]
    assert replacements("W45.1XXA", system) == []


def test_a_condition_moved_to_the_new_code_that_names_it(
    system: CodeSystem, tmp_path: Path
) -> None:
    lines = [
        "00001 F32     0 Depressive episode" + " " * 43 + "Depressive episode",
        "00002 F329    1 Depression, unspecified" + " " * 38 + "Depression, unspecified",
    ]
    path = tmp_path / "icd10cm-order-2000.txt"
    path.write_text("\n".join(lines) + "\n")
    assert list(moved_conditions(CodeSystem.load(release=path), system)) == [("F32.9", "F32.A")]
