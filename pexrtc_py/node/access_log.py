"""The node's access log: who asked for what and how it went; no queries, for those carry tokens."""

from __future__ import annotations

import logging

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

__all__ = ["AccessLog"]

_PATH_LIMIT = 200


class AccessLog(AbstractAccessLogger):
    """One line a request at DEBUG, the path still quoted, so nothing in it can break the line."""

    @property
    def enabled(self) -> bool:
        """Whether anybody reads it."""
        return self.logger.isEnabledFor(logging.DEBUG)

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Write the line."""
        self.logger.debug(
            "< %s %s %s -> %d in %.0f ms",
            request.remote,
            request.method,
            request.rel_url.raw_path[:_PATH_LIMIT],
            response.status,
            time * 1000,
        )
