"""`single_pass` with a discriminative coder, which scores every label of a note."""
