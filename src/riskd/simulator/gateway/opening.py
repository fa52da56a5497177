"""The prices a gateway opens with: given quotes, generators, recordings."""

from datetime import datetime, timedelta

import msgspec

from riskd.simulator.exchange.contracts import ContractBook
from riskd.simulator.exchange.model import PriceUpdate
from riskd.simulator.gateway.kernel import Kernel
from riskd.simulator.gateway.settings import FIRST_PRICE, GatewaySettings
from riskd.simulator.market.recordings import PriceFileError, Recording, read_prices
from riskd.simulator.market.tape import generate


class Opening:
    """Reads what a gateway's settings name, before the gateway has a time."""

    def __init__(self, settings: GatewaySettings, contracts: ContractBook) -> None:
        """Read the price files; PriceFileError says what is wrong with one."""
        self._settings = settings
        self._contracts = contracts
        self.recordings: dict[str, Recording] = {}
        for name, path in settings.price_files.items():
            product = contracts.product(name)
            if product is None:
                raise PriceFileError(f"{path}: no product {name!r} is listed; use one such as ES")
            where, _, instrument = str(path).partition("#")
            self.recordings[name] = read_prices(type(path)(where), product, instrument or None)

    @property
    def start(self) -> datetime | None:
        """Return when the gateway's time begins; None is real time."""
        if self._settings.start != FIRST_PRICE:
            return self._settings.start
        if not self.recordings:
            raise PriceFileError("to start with the first price there must be a price file")
        return min(recording.begins_at for recording in self.recordings.values())

    def begin(self, kernel: Kernel) -> None:
        """Give the exchange its first prices and the tape the rest."""
        now = kernel.clock.now()
        for name, bid in self._settings.quotes.items():
            contract = self._contracts.named(name, now)
            kernel.price(
                PriceUpdate(contract_id=contract.id, last=bid, bid=bid, ask=bid + contract.tick_size, size=1),
                now,
            )
        self._walk(kernel, now)
        for name, recording in self.recordings.items():
            self._play(kernel, self._contracts.named(name, now).id, recording)

    def _walk(self, kernel: Kernel, now: datetime) -> None:
        for name, walk in self._settings.walks.items():
            moving = msgspec.structs.replace(
                walk,
                start=walk.start or self._settings.quotes.get(name),
                seed=walk.seed or self._settings.seed,
            )
            kernel.tape.add(generate(self._contracts.named(name, now), moving, now))

    def _play(self, kernel: Kernel, contract_id: str, recording: Recording) -> None:
        now, start = kernel.clock.now(), self.start
        if start is None:
            shift = now - recording.begins_at
            kernel.tape.add(recording.play(contract_id, shift=shift))
            return
        if recording.ends_at < start:
            raise PriceFileError(
                f"the recorded prices of {contract_id} end at {recording.ends_at.isoformat()}, "
                f"before the start {start.isoformat()}"
            )
        upcoming = recording.play(contract_id, shift=timedelta(0))
        kernel.tape.add(kernel.skip(upcoming, now))
