"""Builders: one module a source, each from a configuration to a stream of pairs or notes."""
