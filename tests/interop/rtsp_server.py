"""GStreamer's RTSP server with colour bars and a tone, run by Debian's Python: prints its address and serves."""

import gi  # type: ignore[import-not-found]  # of the system, not of the virtual environment

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import (  # type: ignore[import-not-found]  # noqa: E402 - the versions must be named first
    GLib,
    Gst,
    GstRtspServer,
)

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service("0")
factory = GstRtspServer.RTSPMediaFactory()
factory.set_shared(True)
factory.set_launch(
    "( videotestsrc is-live=true pattern=smpte ! video/x-raw,width=640,height=360,framerate=25/1 "
    "! x264enc tune=zerolatency key-int-max=25 ! rtph264pay name=pay0 pt=96 config-interval=1 "
    "audiotestsrc is-live=true freq=700 volume=0.2 ! audioconvert ! audioresample ! alawenc "
    "! rtppcmapay name=pay1 pt=8 )"
)
server.get_mount_points().add_factory("/bars", factory)
server.attach(None)
print(f"rtsp://127.0.0.1:{server.get_bound_port()}/bars", flush=True)  # noqa: T201 - what the test waits for
GLib.MainLoop().run()
