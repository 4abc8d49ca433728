"""The wire as data: operations, models, events, SDP, the client's roster and the node's room.

No sockets, no clock, no tasks, no dice: `now` is a parameter and ids are handed in.
"""
