"""Measure what the transport costs: from a breaching frame to the whole close request, over loopback.

Run `python -m benchmarks.transport --trials 2000`. The figures behind the choice, and the choice,
are in docs/adr/0001-transport.md. The benchmark of riskd itself measures `run_prototype` beside
the daemon, in the same run: what riskd adds is the difference.
"""

import asyncio
import multiprocessing
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.figures import Figures, show
from benchmarks.pinning import pinned_apart
from benchmarks.transport_clients import Client, aiohttp_both, aiohttp_rendered, picows_rendered
from benchmarks.transport_server import PAUSE_S, Certificate, serve

ROUNDS = 5
"""The variants take turns, so that a busy minute of the machine falls on all of them."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to be a client: its libraries and its event loop."""

    name: str
    client: Client
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None


def uvloop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes a uvloop, None where there is none (Windows)."""
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 - not installed on Windows

    return uvloop.new_event_loop


def variants() -> list[Variant]:
    """Return what is compared."""
    found = []
    for client, name in (
        (picows_rendered, "picows, pre-rendered request"),
        (aiohttp_rendered, "aiohttp, pre-rendered request"),
        (aiohttp_both, "aiohttp, aiohttp request"),
    ):
        if factory := uvloop_factory():
            found.append(Variant(f"{name}, uvloop", client, factory))
        found.append(Variant(f"{name}, asyncio", client, None))
    return found


CHOSEN = Variant("picows, pre-rendered request, asyncio", picows_rendered, None)
"""What riskd uses; see docs/adr/0001-transport.md."""


def run_prototype(
    trials: int, variant: Variant = CHOSEN, certificate: Certificate | None = None, *, pause_s: float = PAUSE_S
) -> Figures:
    """Measure one client in this process against the far end in another.

    Shape: the chosen transport unless another is given; exactly `trials` samples.
    Units: `pause_s` seconds of silence before each.
    """
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    with pinned_apart() as other_core:
        server = spawn.Process(
            target=serve,
            args=(theirs,),
            kwargs={"trials": trials, "core": other_core, "certificate": certificate, "pause_s": pause_s},
        )
        server.start()
        theirs.close()  # so that a far end that died is an end of file here, not a wait for ever
        try:
            with asyncio.Runner(loop_factory=variant.loop_factory) as runner:
                runner.run(_client(variant.client, ours.recv(), certificate))
            samples = ours.recv()
        finally:
            server.join(timeout=5)
            server.kill()
            ours.close()
    return Figures(variant.name, samples)


async def _client(client: Client, port: int, certificate: Certificate | None) -> None:
    tls = None if certificate is None else ssl.create_default_context(cafile=str(certificate.certificate))
    host = "127.0.0.1" if certificate is None else "localhost"
    await client(f"{host}:{port}", tls)


def run_all(trials: int, certificate: Certificate | None = None) -> list[Figures]:
    """Measure every variant, in interleaved rounds."""
    per_round = -(-trials // ROUNDS)
    rounds = [[run_prototype(per_round, one, certificate) for one in variants()] for _ in range(ROUNDS)]
    return [Figures.joined(of_one[0].name, of_one) for of_one in zip(*rounds, strict=True)]


@contextmanager
def self_signed() -> Iterator[Certificate]:
    """Make a certificate for localhost that lives as long as the measurement."""
    with tempfile.TemporaryDirectory() as directory:
        made = Certificate(Path(directory, "cert.pem"), Path(directory, "key.pem"))
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        command += ["-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        command += ["-keyout", str(made.key), "-out", str(made.certificate)]
        subprocess.run(command, check=True, capture_output=True)
        yield made


def main(
    trials: Annotated[int, typer.Option(help="Trials per variant.", min=ROUNDS)] = 2000,
    *,
    tls: Annotated[bool, typer.Option("--tls", help="Encrypt both connections (needs openssl).")] = False,
) -> None:
    """Print the latency of each transport over loopback."""
    what = "breaching frame to close request over loopback"
    if tls:
        with self_signed() as certificate:
            show(f"{what}, TLS", run_all(trials, certificate))
    else:
        show(what, run_all(trials))


if __name__ == "__main__":
    typer.run(main)
