"""Session tokens shaped as the broker's: three base64url parts, with an expiry inside."""

import base64
import hashlib
import hmac
from datetime import datetime, timedelta

import msgspec

from riskd.simulator.exchange.codes import SessionCode

_PARTS = 3


class _Claims(msgspec.Struct):
    sub: str
    jti: str
    iat: int
    exp: int
    iss: str = "simulated-gateway"


class TokenOffice:
    """Issues tokens and says whether one is good."""

    def __init__(self, *, lifetime: timedelta, key: bytes) -> None:
        """Sign with a key; a token lives for `lifetime` of the gateway's time."""
        self._lifetime = lifetime
        self._key = key
        self._issued = 0
        self._revoked: set[str] = set()
        self._void_before = 0

    def issue(self, user: str, at: datetime) -> str:
        """Return a new token; earlier ones stay valid."""
        self._issued += 1
        issued = int(at.timestamp())
        expires = issued + int(self._lifetime.total_seconds())
        claims = _Claims(sub=user, jti=f"{self._issued:08x}", iat=issued, exp=expires)
        head = _text(msgspec.json.encode({"alg": "HS256", "typ": "JWT"}))
        body = _text(msgspec.json.encode(claims))
        return f"{head}.{body}.{self._signature(f'{head}.{body}')}"

    def check(self, token: str | None, at: datetime) -> SessionCode:
        """Return whether a token opens a session."""
        claims = self._claims(token)
        if claims is None:
            return SessionCode.INVALID_SESSION
        if claims.jti in self._revoked or int(claims.jti, 16) <= self._void_before:
            return SessionCode.SESSION_NOT_FOUND
        return SessionCode.SUCCESS if at.timestamp() < claims.exp else SessionCode.EXPIRED_TOKEN

    def revoke(self, token: str) -> None:
        """End one session."""
        claims = self._claims(token)
        if claims is not None:
            self._revoked.add(claims.jti)

    def revoke_all(self) -> None:
        """End every session that was opened so far."""
        self._void_before = self._issued

    def _claims(self, token: str | None) -> _Claims | None:
        parts = (token or "").split(".")
        if len(parts) != _PARTS:
            return None
        if not hmac.compare_digest(parts[2].encode(), self._signature(".".join(parts[:2])).encode()):
            return None
        try:
            return msgspec.json.decode(_data(parts[1]), type=_Claims)
        except (msgspec.MsgspecError, ValueError):
            return None

    def _signature(self, signed: str) -> str:
        return _text(hmac.digest(self._key, signed.encode(), hashlib.sha256))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _data(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
