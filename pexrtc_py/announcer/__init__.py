"""Any source into rooms: on time, at the right loudness, proved heard."""
