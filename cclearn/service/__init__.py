"""The HTTP service: notes in, coded notes out, with limits on size, queue and time."""
