"""Generators of answers behind one interface."""

from cclearn.engines.engine import Answer, Engine, Request, TokenPiece

__all__ = ["Answer", "Engine", "Request", "TokenPiece"]
