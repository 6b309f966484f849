"""The HTTP service. It codes notes, within limits on size, queue and time."""
