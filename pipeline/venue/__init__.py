"""The edges to the venue: frames to messages, websocket, REST, the catalogue, and the relayers."""
