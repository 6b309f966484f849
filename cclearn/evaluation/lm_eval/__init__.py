"""Export to, and results of, EleutherAI's lm-evaluation-harness."""
