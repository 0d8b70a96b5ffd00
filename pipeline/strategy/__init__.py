"""What a strategy sees and what it wants. Pure."""
