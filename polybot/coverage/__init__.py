"""Coverage: how long each token's book was in which state of confidence, and what was wrong with its feed in between."""
