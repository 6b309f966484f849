"""What a newcomer does first, and what happens then."""
