"""The front door: one command a file."""

__all__: list[str] = []
