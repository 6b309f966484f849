"""Engines: everything that generates answers, behind one interface."""

from cclearn.engines.base import Answer, Choice, Engine, LogLikelihoods, Request, TokenPiece

__all__ = ["Answer", "Choice", "Engine", "LogLikelihoods", "Request", "TokenPiece"]
