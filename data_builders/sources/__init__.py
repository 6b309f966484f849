"""Builders that read a published source, one module each."""
