"""Code and evidence metrics, and the report."""

from cclearn.evaluation.evaluate import Comparison, Evaluation, Settings, evaluate

__all__ = ["Comparison", "Evaluation", "Settings", "evaluate"]
