"""Loading of a discriminative coder."""

from __future__ import annotations

from typing import cast

from cclearn.baselines.model import PlmModel
from cclearn.models import reporting_errors, strictly_loaded


def load_plm(folder: str) -> PlmModel:
    """Load a discriminative coder. Loading is as strict as in `cclearn.models.load_model`.

    Args:
        folder: Folder that `recipes/plm.py` wrote.

    Raises:
        ConfigurationError: There is no such model, or its weights are damaged.
        DataError: Its manifest cannot be read.
    """
    with reporting_errors(folder):
        return cast("PlmModel", strictly_loaded(PlmModel, folder))
