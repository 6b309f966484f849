"""Identifiers that the pattern recognisers of Presidio find, without a language model.

Presidio's engine without language processing gives the recognisers the text only, so that no model is
needed. The recognisers of e-mail addresses and of URLs are left out, because they download a list of
domains; `cclearn.audit.identifiers` finds e-mail addresses.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from cclearn.audit.identifiers import Identifier, Recogniser, digits_key, text_key
from cclearn.errors import ConfigurationError

_NETWORK = frozenset({"EmailRecognizer", "UrlRecognizer"})
"""Names of the recognisers that download a list of domains."""

_KINDS = {"DATE_TIME": "date", "PHONE_NUMBER": "phone"}
"""Kinds of the patterns of cclearn, by the names of Presidio."""

_LEAST_SCORE = 0.4
"""Smallest score of a result. Weaker patterns match any number with so many digits."""

_FEWEST_DIGITS = 5
"""Number of digits from which an identifier is compared by its digits."""


def presidio_recogniser() -> Recogniser:
    """Return a recogniser that applies the patterns of Presidio for all countries with English forms.

    Raises:
        ConfigurationError: Presidio is not installed.
    """
    try:
        presidio = import_module("presidio_analyzer")
        engines = import_module("presidio_analyzer.nlp_engine")
    except ImportError:
        raise ConfigurationError(
            ["audit (pii): presidio-analyzer is not installed. `pip install 'cclearn[audit-pii]'`."]
        ) from None
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    language = engines.NoOpNlpEngine(models=[{"lang_code": "en", "model_name": ""}])
    registry = presidio.RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"], nlp_engine=language)
    registry.recognizers = [
        recogniser
        for recogniser in registry.recognizers
        if type(recogniser).__name__ not in _NETWORK
        and (
            isinstance(recogniser, presidio.PatternRecognizer)
            or type(recogniser).__name__ == "PhoneRecognizer"
        )
    ]
    analyzer = presidio.AnalyzerEngine(
        registry=registry, nlp_engine=language, default_score_threshold=_LEAST_SCORE
    )

    def recognise(text: str) -> Iterator[Identifier]:
        """Yield the identifiers that the patterns match."""
        results: list[Any] = analyzer.analyze(text, language="en")
        for found in sorted(results, key=lambda r: (r.start, r.end, r.entity_type)):
            value = text[found.start : found.end]
            digits = sum(map(str.isdigit, value))
            key = digits_key(value) if digits >= _FEWEST_DIGITS else text_key(value)
            kind = _KINDS.get(found.entity_type, found.entity_type.lower())
            yield Identifier(kind, found.start, found.end, key)

    return recognise
