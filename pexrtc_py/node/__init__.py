"""The other end of the wire: an embedded conferencing node that speaks the protocol of a real one."""
