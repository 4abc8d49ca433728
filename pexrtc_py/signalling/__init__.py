"""HTTP to a conferencing node: one typed method per operation, the token's life, the event stream."""
