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
    from cclearn.coding import Coder, CoderSettings, load_coder
    from cclearn.evaluation import evaluate
    from cclearn.notes import CodedNote, Evidence, Note, SpanPair

__all__ = [
    "CodeSystem",
    "CodedNote",
    "Coder",
    "CoderSettings",
    "Evidence",
    "Note",
    "SpanPair",
    "__version__",
    "evaluate",
    "load_coder",
]

_MODULES = {
    "CodeSystem": "cclearn.codes",
    "CodedNote": "cclearn.notes",
    "Coder": "cclearn.coding",
    "CoderSettings": "cclearn.coding",
    "Evidence": "cclearn.notes",
    "Note": "cclearn.notes",
    "SpanPair": "cclearn.notes",
    "evaluate": "cclearn.evaluation",
    "load_coder": "cclearn.coding",
}
"""The module of each public name. A module is imported when the name is first used, so that
`import cclearn` stays light."""


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'cclearn' has no attribute {name!r}")
