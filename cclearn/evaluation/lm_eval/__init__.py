"""Export to EleutherAI's lm-evaluation-harness, and scores of its tasks."""
