"""What Polybot costs: figures with the machine they are from, and what they are held against. Never asserted."""
