"""What riskd can make the broker do on one account.

The public API says nothing about it: live accounts are reported to refuse partial closes and cancels, copy-trading
followers to refuse cancels. So an account starts with what its flags suggest, and what the broker then really refuses
settles it.
"""

from enum import Enum, StrEnum

import msgspec


class Call(Enum):
    """The requests that enforce, with their paths."""

    CLOSE = "/api/Position/closeContract"
    PARTIAL_CLOSE = "/api/Position/partialCloseContract"
    CANCEL = "/api/Order/cancel"
    RESIZE = "/api/Order/modify"


class Support(StrEnum):
    """Whether the broker carries out a call on an account; ``doubtful`` is tried until it is refused."""

    YES = "yes"
    DOUBTFUL = "doubtful"
    NO = "no"


class Capabilities(msgspec.Struct, frozen=True):
    """What can be enforced on one account; ``why`` explains every answer that is not yes."""

    account: str
    close: Support = Support.YES
    partial_close: Support = Support.YES
    cancel: Support = Support.YES
    resize: Support = Support.YES
    why: str = ""

    def of(self, call: Call) -> Support:
        """Return whether the broker carries out one call."""
        match call:
            case Call.CLOSE:
                return self.close
            case Call.PARTIAL_CLOSE:
                return self.partial_close
            case Call.CANCEL:
                return self.cancel
            case Call.RESIZE:
                return self.resize

    def refused(self, call: Call, text: str) -> "Capabilities":
        """Return the capabilities after the broker said that it never does this on the account.

        Shape: a close is never given up, whatever the broker said once.
        """
        match call:
            case Call.CLOSE:
                return self
            case Call.PARTIAL_CLOSE:
                return msgspec.structs.replace(self, partial_close=Support.NO, why=text)
            case Call.CANCEL:
                return msgspec.structs.replace(self, cancel=Support.NO, why=text)
            case Call.RESIZE:
                return msgspec.structs.replace(self, resize=Support.NO, why=text)


def settle(account: str, *, simulated: bool | None) -> Capabilities:
    """Return what the flag of an account suggests; None where it does not say."""
    if simulated:
        return Capabilities(account)
    kind = "a live account" if simulated is False else "an account that does not say whether it is simulated"
    return Capabilities(
        account,
        partial_close=Support.DOUBTFUL,
        cancel=Support.DOUBTFUL,
        resize=Support.DOUBTFUL,
        why=f"{kind}: brokers are reported to refuse partial closes, cancels and changes on live accounts",
    )
