"""Where encoded frames end: containers on disk. Each track of one is a `Tap`."""
