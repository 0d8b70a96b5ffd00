"""Proving that the stages, asked again what a session asked them, say what they said then."""
