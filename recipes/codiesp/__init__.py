"""The recipe for CodiEsp in Spanish, whose data `python -m recipes.codiesp.prepare` writes."""
