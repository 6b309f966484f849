"""The review of coded notes: decisions of professional coders, and the training rows made from them."""
