"""Models on a server with OpenAI's protocol, such as those of OpenAI and vLLM."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import cached_property, partial
from pathlib import Path
from threading import Lock, Semaphore
from typing import TYPE_CHECKING, Any, Literal

from cclearn.engines.base import Answer, Engine, Request, TokenPiece
from cclearn.engines.budget import Budget
from cclearn.engines.json_answers import ANSWER_SCHEMA, answer_from_json
from cclearn.engines.planning import only_counts
from cclearn.engines.server import ServedModel, served_model
from cclearn.errors import CclearnError, ConfigurationError, RestrictedTextError
from cclearn.runtime.loopback import AnotherMachineError, host_of, is_loopback, loopback_addresses

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI

    from cclearn.engines.settings import EngineSettings

Constraint = Literal["none", "json", "grammar"]
"""How a server constrains the form of an answer.

- `none`: it does not.
- `json`: by a JSON schema. The server must have structured output; the answer is converted to lines.
- `grammar`: by the grammar of the request, which vLLM accepts. It allows only words of the note and
  billable codes.
"""

_MAX_NEW_TOKENS = 1024
"""Default maximum number of tokens of an answer. Servers refuse one that exceeds their context."""

_AHEAD = 16
"""Maximum number of answers, for each concurrent request, that wait for a slow one before them. Answers
differ in length by a factor of ten, and the server must not be idle."""

_DEAD = 3
"""Number of consecutive failed connections, for each concurrent request, that make a server dead."""

_PAUSE = 30.0
"""Seconds after which a dead server is tried again, because it may have been restarted."""


class OpenAIEngine(Engine):
    """Sends requests to a server, several at a time, through the official client.

    The client repeats requests that failed temporarily, with increasing pauses or after `Retry-After`.
    A request that fails permanently is flagged on its note, and the run continues. The flags are
    `refusal`, `empty`, `exceeds_context`, `timeout`, `connection`, `http_STATUS`,
    `unreadable_response` and `budget`.

    Args:
        model: Name of the model on the server.
        base_url: Base URL of the server; None for `OPENAI_BASE_URL`, or OpenAI's if that is not set.
        concurrency: Maximum number of simultaneous requests.
        retries: Number of further attempts after a request has failed.
        timeout: Time limit of a request, in seconds.
        max_new_tokens: Maximum number of tokens of an answer.
        temperature: Sampling temperature; None to send none to a server that accepts none.
        constraint: How the server constrains the form of an answer.
        log_probabilities: Whether to request log-probabilities, which scores need.
        budget: Limits of the run.
        send_restricted: First permission to send restricted text to another machine.
        may_send_restricted: Second permission: the user has the right to send restricted text.
        trust_name: Whether the address and the name identify the model for the cache if the server
            does not report its weights (`cclearn.engines.server`).
        service_tier: Processing tier of OpenAI's server, e.g. `flex`. It does not influence the answers.
            None sends none.

    Raises:
        ConfigurationError: There is no key in `OPENAI_API_KEY`, and the server is on another machine.
    """

    is_remote = True

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        concurrency: int = 16,
        retries: int = 5,
        timeout: float = 120.0,
        max_new_tokens: int = _MAX_NEW_TOKENS,
        temperature: float | None = 0.0,
        constraint: Constraint = "none",
        log_probabilities: bool = False,
        budget: Budget | None = None,
        send_restricted: bool = False,
        may_send_restricted: bool = False,
        trust_name: bool = True,
        service_tier: str | None = None,
    ) -> None:
        self.name = model.rpartition("/")[2]
        self.grounded = constraint == "grammar"
        self._model = model
        self._url = base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
        self._concurrency = concurrency
        self._budget = budget or Budget()
        self._constraint = constraint
        self._may_send = send_restricted and may_send_restricted
        self._host = host_of(self._url)
        needs_key = not is_loopback(self._host) and not only_counts()
        key = os.environ.get("OPENAI_API_KEY") or ("" if needs_key else "none")
        if not key:
            raise ConfigurationError(
                [
                    f"OPENAI_API_KEY (server = {self._host}): it is not set. Set it in the"
                    " environment; keys are read from nowhere else."
                ]
            )
        self._parameters: dict[str, Any] = {
            "model": model,
            "max_completion_tokens": max_new_tokens,
            **({} if temperature is None else {"temperature": temperature, "seed": 0}),
            **({"logprobs": True} if log_probabilities else {}),
        }
        self._trust_name = trust_name
        self._tier = {} if service_tier is None else {"service_tier": service_tier}
        self._server_fields: dict[str, Any] | None = None
        self._connect = partial(_client, self._url, key, retries, timeout, concurrency)
        self._connect(this_machine_only=False).close()  # This reports a missing package at once.
        self._lock = Lock()
        self._started: float | None = None
        self._tokens = [0, 0]
        self._failed_connections = 0
        self._failed_at = 0.0

    @classmethod
    def from_name(cls, target: str, settings: EngineSettings) -> OpenAIEngine:
        """Return the engine for a model's name on the server."""
        price = {"prompt": settings.prompt_price, "answer": settings.answer_price}
        return cls(
            target,
            base_url=settings.base_url,
            concurrency=settings.concurrency,
            retries=settings.retries,
            timeout=settings.timeout,
            max_new_tokens=settings.max_new_tokens or _MAX_NEW_TOKENS,
            temperature=settings.temperature,
            constraint=settings.constraint,
            log_probabilities=settings.log_probabilities,
            budget=Budget(settings.seconds, settings.tokens, settings.cost, price),
            send_restricted=settings.send_restricted,
            may_send_restricted=settings.may_send_restricted,
            trust_name=settings.cache != Path("auto"),
            service_tier=settings.service_tier,
        )

    @property
    def model_sha256(self) -> str:
        """The current fingerprint of the model on the server; empty if it has none.

        Raises:
            CclearnError: The server does not answer.
        """
        return self._served().fingerprint()

    @property
    def identity(self) -> str:
        """The fingerprint of the model, the address of the server and the fields of requests.

        It is empty if the server does not answer, or has no fingerprint and its name is not trusted.
        """
        try:
            served = self._served()
        except CclearnError:
            return ""
        fingerprint = served.fingerprint()
        if not fingerprint and not self._trust_name:
            return ""
        decoding = {"server": self._url, "constraint": self._constraint, **self._parameters}
        decoding |= served.fields()
        return json.dumps({**decoding, "fingerprint": fingerprint}, sort_keys=True)

    def _served(self) -> ServedModel:
        """Return what the server reports about the model. Raises CclearnError if it does not answer."""
        with self._connect(this_machine_only=self._is_local) as client:
            served = served_model(client, self._model, self._is_local)
        self._server_fields = served.fields()
        return served

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Yield the answers to requests in order.

        Raises:
            RestrictedTextError: A request contains restricted text that may not be sent.
            CclearnError: The server knows neither the key nor the model.
        """
        clients: dict[bool, OpenAI] = {}
        opened = ExitStack()
        pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix="cclearn-request")
        waiting: deque[Future[Answer]] = deque()
        # Twice the number of simultaneous requests, so that the next request is always ready.
        slots = Semaphore(2 * self._concurrency)
        try:
            for request in requests:
                local = request.origin == "restricted" and not self._may_send
                if local and not self._is_local:
                    raise self._restricted(request)
                if self._server_fields is None:
                    with suppress(CclearnError):  # Its requests are flagged if it does not answer.
                        self._served()
                if local not in clients:
                    clients[local] = opened.enter_context(self._connect(this_machine_only=local))
                slots.acquire()
                waiting.append(pool.submit(self._answer, clients[local], request))
                waiting[-1].add_done_callback(lambda _: slots.release())
                while waiting and (waiting[0].done() or len(waiting) >= _AHEAD * self._concurrency):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
            opened.close()

    @cached_property
    def _is_local(self) -> bool:
        """Whether the server may be on this machine; the transport checks each connection."""
        return is_loopback(self._host) or bool(loopback_addresses(self._host))

    def _restricted(self, request: Request) -> RestrictedTextError:
        return RestrictedTextError(
            f"note (id = {request.id}): its text is restricted, and {self._host} is another"
            " machine. Code it with a local model; or, if its licence allows it, give two permissions:"
            " send_restricted=true and may_send_restricted=true, each with --engine."
        )

    def _answer(self, client: OpenAI, request: Request) -> Answer:
        import openai

        with self._lock:
            self._started = self._started or time.monotonic()
            seconds = time.monotonic() - self._started
            if self._budget.exceeded(seconds, *self._tokens):
                return Answer(request.id, "", problem="budget")
            given_up = self._failed_connections >= _DEAD * self._concurrency
            if given_up and time.monotonic() - self._failed_at < _PAUSE:
                return Answer(request.id, "", problem="connection")
        try:
            # This is what `chat.completions.create` does, without its traversal of the messages.
            response = client.post(
                "/chat/completions",
                cast_to=openai.types.chat.ChatCompletion,
                body={**self.body(request), **self._tier},
            )
            answer = self._read(request, response)
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise self._refused(error, "Set OPENAI_API_KEY to a key that it takes.") from None
        except openai.NotFoundError as error:
            raise self._refused(error, "Name a model that it has, and its base URL.") from None
        except AnotherMachineError:
            raise self._restricted(request) from None
        except openai.APIStatusError as error:
            if 300 <= error.status_code < 400:
                raise self._refused(
                    error,
                    "Redirects are not followed, because one can take a note to another machine. Name"
                    " the server's own address with --engine base_url=URL.",
                ) from None
            if getattr(error, "code", None) == "insufficient_quota":
                raise self._refused(error, "Top the account up.") from None
            problem = "exceeds_context" if _is_too_long(error) else f"http_{error.status_code}"
            answer = Answer(request.id, "", problem=problem)
        except openai.APITimeoutError:
            answer = Answer(request.id, "", problem="timeout")
        except openai.APIConnectionError:
            answer = Answer(request.id, "", problem="connection")
        except (openai.APIResponseValidationError, ValueError, TypeError, AttributeError, KeyError):
            answer = Answer(request.id, "", problem="unreadable_response")
        with self._lock:
            self._tokens[0] += answer.prompt_tokens
            self._tokens[1] += answer.answer_tokens
            gone = answer.problem == "connection"
            self._failed_connections = self._failed_connections + 1 if gone else 0
            self._failed_at = time.monotonic() if gone else 0.0
        return answer

    def body(self, request: Request) -> dict[str, Any]:
        """Return the body of a request to the server."""
        return {
            **self._parameters,
            **(self._server_fields or {}),
            "messages": list(request.prompt),
            **self._form(request),
        }

    def read(self, request: Request, body: object) -> Answer:
        """Return the answer in the body of a response, also of one that came in a batch.

        Args:
            request: The request.
            body: Parsed JSON of the response.
        """
        import openai

        try:
            return self._read(request, openai.types.chat.ChatCompletion.model_validate(body))
        except (ValueError, TypeError, AttributeError, KeyError):
            return Answer(request.id, "", problem="unreadable_response")

    def client(self) -> OpenAI:
        """Return a client of the server, which must be closed."""
        return self._connect(this_machine_only=False)

    def _form(self, request: Request) -> dict[str, Any]:
        if self._constraint == "json":
            schema = {"name": "codes", "schema": ANSWER_SCHEMA, "strict": True}
            return {"response_format": {"type": "json_schema", "json_schema": schema}}
        if self._constraint == "grammar" and request.grammar is not None:
            return {"structured_outputs": {"grammar": request.grammar}}
        return {}

    def _read(self, request: Request, response: Any) -> Answer:
        usage = response.usage
        prompt_tokens = int(usage.prompt_tokens) if usage else 0
        answer_tokens = int(usage.completion_tokens) if usage else 0
        if not response.choices:
            return Answer(request.id, "", False, [], prompt_tokens, answer_tokens, 0.0, "empty")
        choice = response.choices[0]
        text = choice.message.content or ""
        problem = None
        if choice.message.refusal or choice.finish_reason == "content_filter":
            problem = "refusal"
        elif not text.strip():
            problem = "empty"
        complete = choice.finish_reason == "stop"
        pieces = _pieces(choice)
        if self._constraint == "json" and problem is None:
            text, pieces = answer_from_json(text, complete), []
        return Answer(
            request.id, text, complete, pieces, prompt_tokens, answer_tokens, 0.0, problem
        )

    def _refused(self, error: Any, advice: str) -> CclearnError:
        return CclearnError(
            f"model (model = {self._model}): {self._host} answers {error.status_code}. {advice}"
        )


def _is_too_long(error: APIStatusError) -> bool:
    """Return whether a server refused a prompt because it does not fit into the model's context.

    OpenAI says so in the code of the error, llama.cpp in its type, and vLLM in the message alone.
    """
    signs = (getattr(error, "code", None), getattr(error, "type", None))
    if not {"context_length_exceeded", "exceed_context_size_error"}.isdisjoint(signs):
        return True
    return error.status_code == 400 and "maximum context length" in str(error.message)


def _client(
    url: str, key: str, retries: int, timeout: float, connections: int, *, this_machine_only: bool
) -> OpenAI:
    try:
        import openai

        from cclearn.engines.transport import http_client
    except ImportError:
        raise ConfigurationError(
            ["model (openai): the client is missing. Install cclearn[openai]."]
        ) from None
    client = http_client(
        url, this_machine_only=this_machine_only, timeout=timeout, connections=connections
    )
    return openai.OpenAI(
        base_url=url, api_key=key, max_retries=retries, timeout=timeout, http_client=client
    )


def _pieces(choice: Any) -> list[TokenPiece]:
    tokens = choice.logprobs.content if choice.logprobs else None
    pieces = []
    position = 0
    for token in tokens or ():
        spelt = bytes(token.bytes) if token.bytes is not None else token.token.encode()
        pieces.append(TokenPiece(position, position + len(spelt), token.logprob))
        position += len(spelt)
    return pieces
