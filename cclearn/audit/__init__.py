"""The audit of synthetic notes: what they repeat of real ones, and the support of their labels."""
