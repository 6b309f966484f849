"""Builders that read a published source."""
