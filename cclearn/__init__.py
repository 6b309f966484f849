"""cclearn: small open LLMs that assign ICD codes to clinical notes and cite their evidence."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

# No telemetry leaves the machine. huggingface_hub reads the variable once, when it is imported.
if os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1") == "1":
    _hub = sys.modules.get("huggingface_hub.constants")
    if _hub is not None:
        _hub.HF_HUB_DISABLE_TELEMETRY = True  # type: ignore[attr-defined]

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cclearn.codes import CodeSystem
    from cclearn.coding import Coder
    from cclearn.notes import CodedNote, Evidence, Note, SpanPair

__all__ = ["CodeSystem", "CodedNote", "Coder", "Evidence", "Note", "SpanPair", "__version__"]

_HOMES = {
    "CodeSystem": "cclearn.codes",
    "Coder": "cclearn.coding",
    "CodedNote": "cclearn.notes",
    "Evidence": "cclearn.notes",
    "Note": "cclearn.notes",
    "SpanPair": "cclearn.notes",
}


def __getattr__(name: str) -> Any:
    # Resolved on first use, so that `import cclearn` stays light.
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'cclearn' has no attribute {name!r}")
