"""An embedded conferencing node: the other end of the wire, on one machine, with nothing installed."""

from __future__ import annotations

from .config import NodeConfig, load_node_file
from .dialling import DialJob, Dialler
from .server import Node

__all__ = ["DialJob", "Dialler", "Node", "NodeConfig", "load_node_file"]
