"""Generators of answers behind one interface."""

from cclearn.engines.base import Answer, Choice, Engine, Request, TokenPiece, Weights

__all__ = ["Answer", "Choice", "Engine", "Request", "TokenPiece", "Weights"]
