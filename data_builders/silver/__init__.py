"""Evidence for codes of notes that have none: found without a model, or by one."""
