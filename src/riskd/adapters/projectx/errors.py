"""What can go wrong between riskd and the gateway, each with a sentence for people."""

import os


class GatewayError(Exception):
    """Base of all: the gateway did not do what it was asked."""


class Unreachable(GatewayError):
    """No proper answer came: no connection, no answer in time, or the server failed."""


class NotLoggedIn(GatewayError):
    """The gateway does not accept the token (any more)."""


class TooManyRequests(GatewayError):
    """The gateway, or riskd's own budget, says that it was too much for now."""


class Refused(GatewayError):
    """The gateway understood and said no.

    Shape: ``number`` is the endpoint's error code, or the HTTP status where there is none.
    """

    def __init__(self, sentence: str, number: int) -> None:
        super().__init__(sentence)
        self.number = number


class Unreadable(GatewayError):
    """The gateway answered something that cannot be true."""


def os_reason(error: OSError | ValueError) -> str:
    """Return why the system could not do it, such as ``Connection refused``.

    Shape: a mere ValueError is how the system says that a name cannot even be looked up; one about a certificate is an
    OSError as well.
    """
    if not isinstance(error, OSError):
        return "no host can have this name"
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error) or "no answer"
