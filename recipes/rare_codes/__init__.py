"""The rare-code experiment: baselines trained on original notes and on extended data, by stratum."""
