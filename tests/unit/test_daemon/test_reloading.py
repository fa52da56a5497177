import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from riskd.config.errors import ConfigError, ConfigErrors
from riskd.daemon.configuration import Wanted
from riskd.daemon.reloading import Reloader, marks, refusal

LOOK_EVERY_S = 0.002
LONG_ENOUGH_S = 5.0


class Desk:
    """A file, a reloader that watches it, and what came of it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.reads = 0
        self.reloader = Reloader(
            (file,),
            known=marks((file,)),
            read=self._read,
            use=lambda wanted: self.heard.put_nowait(wanted.rules["A1"]),
            refuse=self._refuse,
            look_every_s=LOOK_EVERY_S,
        )

    def _read(self) -> Wanted:
        self.reads += 1
        text = self.file.read_text(encoding="utf-8") if self.file.exists() else "bad: there is no such file"
        if text.startswith("odd"):
            raise ValueError("s3cret")
        if text.startswith("bad"):
            raise ConfigErrors("config.json", [ConfigError("pnl", 3, text)])
        return Wanted(rules={"A1": text})

    def _refuse(self, lines: Sequence[str]) -> None:
        self.heard.put_nowait(refusal(lines))

    async def next(self) -> str:
        """Wait for what the reloader says next."""
        async with asyncio.timeout(LONG_ENOUGH_S):
            return await self.heard.get()


@asynccontextmanager
async def watching(tmp_path: Path, text: str = "first") -> AsyncIterator[Desk]:
    """Watch a file until the block ends."""
    file = tmp_path / "config.json"
    file.write_text(text, encoding="utf-8")
    desk = Desk(file)
    task = asyncio.create_task(desk.reloader.run())
    try:
        yield desk
    finally:
        task.cancel()


async def test_a_changed_file_is_read_and_taken_over(tmp_path: Path) -> None:
    """Once for each change, also where an editor puts a new file in its place; an unchanged file is not read."""
    async with watching(tmp_path) as desk:
        desk.file.write_text("second", encoding="utf-8")
        assert await desk.next() == "second"

        other = tmp_path / "config.json.swp"
        other.write_text("third", encoding="utf-8")
        other.replace(desk.file)
        assert await desk.next() == "third"
        assert desk.reads == 2


async def test_a_file_with_mistakes_is_refused_once_until_it_is_good(tmp_path: Path) -> None:
    """The sentence has every mistake; saving the same mistakes again says nothing new."""
    async with watching(tmp_path) as desk:
        desk.file.write_text("bad: half written", encoding="utf-8")
        assert await desk.next() == (
            "the changed configuration has one mistake and nothing of it applies: config.json:3: pnl: bad: half written"
        )
        desk.file.touch()
        desk.file.write_text("good", encoding="utf-8")
        assert await desk.next() == "good"


async def test_a_file_that_is_gone_is_a_mistake(tmp_path: Path) -> None:
    """Deleting the limits does not delete them."""
    async with watching(tmp_path) as desk:
        desk.file.unlink()

        assert "there is no such file" in await desk.next()


async def test_a_defect_of_reading_does_not_end_the_watching(tmp_path: Path) -> None:
    """What nobody foresaw is refused like a mistake, without what it says, and the next change is taken over."""
    async with watching(tmp_path) as desk:
        desk.file.write_text("odd", encoding="utf-8")
        said = await desk.next()
        assert "reading it failed (ValueError); this is a defect of riskd" in said
        assert "s3cret" not in said

        desk.file.write_text("good", encoding="utf-8")
        assert await desk.next() == "good"


async def test_who_asks_is_answered(tmp_path: Path) -> None:
    """A signal reads the file anew though it did not change, and repeats what is wrong with it."""
    async with watching(tmp_path, "bad") as desk:
        for _ in range(2):
            desk.reloader.now()
            assert "one mistake" in await desk.next()


def test_several_mistakes_are_one_sentence() -> None:
    """One line in the log, whatever is wrong."""
    assert refusal(["a:1: b", "a:2: c"]) == (
        "the changed configuration has 2 mistakes and nothing of it applies: a:1: b; a:2: c"
    )
