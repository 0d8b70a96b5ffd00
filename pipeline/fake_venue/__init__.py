"""An offline Polymarket on loopback: seeded order flow, matching, HTTP and websocket."""
