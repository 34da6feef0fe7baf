"""Anthropic's Messages API in front of an upstream that speaks only chat, by way of that upstream's own provider."""

from collections.abc import Sequence

import msgspec

from headgate.core.errors import UpstreamError
from headgate.core.json import encode
from headgate.core.provider import (
    Answer,
    Call,
    Credentials,
    Headers,
    Operation,
    Provider,
    StreamTranslator,
    UpstreamRequest,
)
from headgate.providers._messages_answers import MessagesTranslator, encode_message
from headgate.providers._messages_request import chat_members

_NEWER_LIMIT = frozenset({"openai", "azure"})
"""Where reasoning models refuse `max_tokens`; compatible servers often know only that
(https://platform.openai.com/docs/api-reference/chat/create#chat-create-max_completion_tokens)."""


class MessagesOverChat:
    """Serves MESSAGES by asking `chat` for CHAT. Everything that is not about the body is `chat`'s own."""

    def __init__(self, chat: Provider) -> None:
        self._chat = chat
        self.name, self.model, self.api_base = chat.name, chat.model, chat.api_base
        self._limit_name = "max_completion_tokens" if chat.name in _NEWER_LIMIT else "max_tokens"

    @property
    def credentials(self) -> Credentials | None:
        """The upstream's credentials."""
        return self._chat.credentials

    def supports(self, operation: Operation) -> bool:
        """Messages only; everything else is the other provider's."""
        return operation is Operation.MESSAGES

    def attachments(self, call: Call) -> Sequence[str]:
        """Name the URLs that the upstream can not fetch itself."""
        return self._chat.attachments(self._translated(call))

    def encode(self, call: Call) -> UpstreamRequest:
        """Build the upstream request. Raises `InvalidRequestError` for what chat can not express."""
        return self._chat.encode(self._translated(call))

    def decode(self, call: Call, headers: Headers, body: bytes) -> Answer:
        """Translate a whole answer. Raises `UpstreamError` when it is not one."""
        answer = self._chat.decode(self._translated(call), headers, body)
        return Answer(encode_message(answer.body, answer.usage), answer.usage)

    def translator(self, call: Call, headers: Headers) -> StreamTranslator:
        """Return a translator for a streamed answer."""
        return MessagesTranslator(self._chat.translator(self._translated(call), headers))

    def failure(self, status: int, headers: Headers, body: bytes) -> UpstreamError:
        """Classify an answer that is not 2xx."""
        return self._chat.failure(status, headers, body)

    def _translated(self, call: Call) -> Call:
        members = chat_members(call.members, limit_name=self._limit_name)
        return msgspec.structs.replace(
            call, operation=Operation.CHAT, members=members, body=encode(members), include_usage=True, headers=()
        )


def with_messages(provider: Provider) -> Provider | None:
    """Return what serves MESSAGES for a provider that does not do so itself; None where nothing can."""
    if provider.supports(Operation.MESSAGES):
        return provider
    return MessagesOverChat(provider) if provider.supports(Operation.CHAT) else None
