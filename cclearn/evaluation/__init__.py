"""Evaluation of coded notes: metrics of codes and evidence, and reports."""

from cclearn.evaluation.evaluate import Comparison, Evaluation, Settings, evaluate

__all__ = ["Comparison", "Evaluation", "Settings", "evaluate"]
