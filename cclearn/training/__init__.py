"""Fine-tuning: the recipe, the model it starts from, the run and its manifest."""
