"""Recipes, and the scripts that run them with `accelerate launch`."""
