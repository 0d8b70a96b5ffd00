"""The documented front of Polybot: the command line and the programmatic names."""
