"""The broker's contract records: all that trade now at the start, any other when it first turns up."""

from riskd.adapters.projectx.context import Context
from riskd.adapters.projectx.errors import GatewayError
from riskd.adapters.projectx.reads import Reads
from riskd.domain.events import InstrumentReported


class Instruments:
    """Reports each contract once."""

    def __init__(self, context: Context, reads: Reads) -> None:
        self._context = context
        self._reads = reads
        self._known: set[str] = set()

    async def learn_all(self) -> None:
        """Report every contract that trades now.

        Errors: GatewayError.
        """
        for report in await self._reads.contracts():
            self._tell(report)

    def need(self, contract: str) -> None:
        """Look up a contract that has turned up, unless it is known or asked for already."""
        if contract not in self._known:
            self._known.add(contract)
            self._context.tasks.once(f"contract {contract}", self._look_up(contract))

    async def _look_up(self, contract: str) -> None:
        try:
            report = await self._reads.contract(contract)
        except GatewayError as error:
            self._context.log.warning("contract_not_read", contract=contract, why=str(error))
            self._known.discard(contract)
            return
        if report is not None:
            self._tell(report)

    def _tell(self, report: InstrumentReported) -> None:
        self._known.add(report.instrument.contract)
        if report.instrument.quarantined:
            self._context.log.error("contract_contradicts_table", contract=report.instrument.contract)
        self._context.publish(report)
