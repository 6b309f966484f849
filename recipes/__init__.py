"""Recipes: thin scripts for `accelerate launch` and the YAML files they read."""
