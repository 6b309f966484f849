"""Engines, which generate answers and share one interface."""

from cclearn.engines.base import Answer, Choice, Engine, LogLikelihoods, Request, TokenPiece

__all__ = ["Answer", "Choice", "Engine", "LogLikelihoods", "Request", "TokenPiece"]
