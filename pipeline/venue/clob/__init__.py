"""The venue's order protocol: wallets, signatures, headers, bodies, and what its answers mean. Nothing is sent here."""
