"""The combination rules of the guidelines, by theme."""
