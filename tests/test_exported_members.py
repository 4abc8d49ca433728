"""What is public is public on purpose."""

import pexrtc_py


def test_all_is_what_is_there() -> None:
    """Every public name of the package is exported, and every class that is there is public."""
    for name in pexrtc_py.__all__:
        assert hasattr(pexrtc_py, name)
    classes = {name for name, value in vars(pexrtc_py).items() if isinstance(value, type)}
    assert classes <= set(pexrtc_py.__all__)
