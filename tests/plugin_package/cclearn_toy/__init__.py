"""A toy plug-in package: one class of each kind that cclearn finds by name."""
