"""The notebooks of `examples/`: running them, and storing what their cells print.

    python -m tests.notebooks

runs all notebooks and writes the printed text into them.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from tests.source_tree import ROOT

FOLDER = ROOT / "examples"


def notebooks() -> list[Path]:
    """Return the paths of all notebooks."""
    return sorted(FOLDER.glob("*.ipynb"))


def printed(path: Path, folder: Path) -> list[str]:
    """Run a notebook in a folder, and return what each of its cells of code prints."""
    found = []
    namespace: dict[str, Any] = {"__name__": "__main__"}
    before = Path.cwd()
    os.chdir(folder)
    try:
        for cell in cells(path):
            stream = io.StringIO()
            with redirect_stdout(stream):
                exec("".join(cell["source"]), namespace)  # noqa: S102 - a notebook of the project
            found.append(stream.getvalue())
    finally:
        os.chdir(before)
    return found


def cells(path: Path) -> list[dict[str, Any]]:
    """Return the cells of code of a notebook."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in content["cells"] if cell["cell_type"] == "code"]


def stored(path: Path) -> list[str]:
    """Return the printed text that a notebook contains, for each of its cells of code."""
    return ["".join("".join(o["text"]) for o in cell["outputs"]) for cell in cells(path)]


def main() -> None:
    """Run all notebooks, and write the printed text into them."""
    for path in notebooks():
        with tempfile.TemporaryDirectory() as folder:
            texts = iter(printed(path, Path(folder)))
        content = json.loads(path.read_text(encoding="utf-8"))
        for cell in content["cells"]:
            if cell["cell_type"] == "code":
                text = next(texts)
                output = {"name": "stdout", "output_type": "stream", "text": text.splitlines(True)}
                cell["outputs"] = [output] if text else []
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
