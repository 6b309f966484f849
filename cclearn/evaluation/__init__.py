"""Code and evidence metrics, and the report."""

from cclearn.evaluation.evaluate import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]
