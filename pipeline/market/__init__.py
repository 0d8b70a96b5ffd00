"""Books, batches, the proof that a book is right, and the catalogue of markets. Pure: no sockets, no clock, no randomness."""
