"""HTTP to a conferencing node: one typed method per operation, the token's life, the event stream."""

from .client import NodeClient
from .finding import Destination, find_destination
from .opening import follow_transfers, open_session
from .session import Session
from .session_config import SessionConfig
from .subscription import EventSubscription
from .tls import HttpConfig
from .transfers import Transfers

__all__ = [
    "Destination",
    "EventSubscription",
    "HttpConfig",
    "NodeClient",
    "Session",
    "SessionConfig",
    "Transfers",
    "find_destination",
    "follow_transfers",
    "open_session",
]
