"""Why a request is not answered as it was meant."""

from __future__ import annotations

import math


class Refused(Exception):
    """A request that is not taken, or given up.

    Args:
        status: Of HTTP.
        problem: For the caller; without text of a note.
        reason: For the metrics.
        retry_after: Seconds after which it may be otherwise; None where it never will.
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
