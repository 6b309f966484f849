"""Discriminative coders: an encoder of tokens, and a head that scores every label of a document."""
