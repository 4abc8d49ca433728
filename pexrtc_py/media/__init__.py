"""Frames, files, codecs, filters and marks. Knows PyAV; has never heard of aiortc or of HTTP."""
