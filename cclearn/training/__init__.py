"""Fine-tuning: recipes, rows, models, runs and their manifests."""
