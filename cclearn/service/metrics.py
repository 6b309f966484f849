"""Metrics of the service for Prometheus. No label and no value comes from a client."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from cclearn.service.process import Batch, Coded

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60)
_NOTES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The metrics of one service, in their own registry."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = self._counter("requests", "Requests answered.", "route", "status")
        self._request_seconds = self._histogram(
            "request_seconds", "From a request's head to the end of its answer.", _SECONDS, "route"
        )
        self._refused = self._counter("refused_requests", "Not taken or given up.", "reason")
        self._notes = self._counter("notes", "Notes that left a coder.", "outcome")
        self._bad_rows = self._counter(
            "invalid_rows", "Rows of accepted requests that are not valid notes."
        )
        self._codes = self._counter("codes", "Codes assigned.")
        self._prompt_tokens = self._counter("prompt_tokens", "Read by the model.")
        self._answer_tokens = self._counter("answer_tokens", "Written by the model.")
        self._batch_notes = self._histogram("batch_notes", "Notes coded at once.", _NOTES)
        self._batch_seconds = self._histogram("batch_seconds", "A coder's, a batch.", _SECONDS)

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request under the template of its route."""
        self._requests.labels(route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def refused(self, reason: str) -> None:
        """Count a request that was refused or given up, under its reason."""
        self._refused.labels(reason).inc()

    def bad_rows(self, count: int) -> None:
        """Count rows of an accepted request that are not valid notes."""
        self._bad_rows.inc(count)

    def batch(self, batch: Batch) -> None:
        """Count the notes, codes and tokens of a batch."""
        coded = [outcome for outcome in batch.outcomes if isinstance(outcome, Coded)]
        self._notes.labels("coded").inc(len(coded))
        self._notes.labels("failed").inc(len(batch.outcomes) - len(coded))
        self._codes.inc(sum(outcome.codes for outcome in coded))
        self._prompt_tokens.inc(batch.prompt_tokens)
        self._answer_tokens.inc(batch.answer_tokens)
        self._batch_notes.observe(len(batch.outcomes))
        self._batch_seconds.observe(batch.seconds)

    def watch(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """Add a gauge whose value is computed whenever the metrics are read.

        Args:
            name: Name of the gauge without the prefix `cclearn_`.
            help_text: Description of the gauge.
            value: Function that returns the value.
        """
        Gauge(f"cclearn_{name}", help_text, registry=self._registry).set_function(value)

    def page(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(f"cclearn_{name}", help_text, labels, registry=self._registry)

    def _histogram(
        self, name: str, help_text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(
            f"cclearn_{name}", help_text, labels, buckets=buckets, registry=self._registry
        )
