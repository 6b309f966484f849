"""The error for a request that is refused."""

from __future__ import annotations

import math


class Refused(Exception):
    """A request is not accepted, or it is given up.

    Args:
        status: HTTP status code of the response.
        problem: Message for the client. It contains no text of a note.
        reason: Label of the refusal in the metrics.
        retry_after: Number of seconds after which the request may succeed, or None if it never will.
    """

    def __init__(
        self, status: int, problem: str, reason: str, retry_after: float | None = None
    ) -> None:
        self.status = status
        self.problem = problem
        self.reason = reason
        self.headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
        super().__init__(problem)
