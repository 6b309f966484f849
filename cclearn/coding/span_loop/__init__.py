"""The coder that recognises spans and then assigns a code to each span."""
