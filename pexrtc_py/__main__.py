"""`python -m pexrtc_py`: the same as `pexrtc`."""

from .cli.entry import main

main()
