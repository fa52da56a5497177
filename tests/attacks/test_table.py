"""The documentation lists exactly the attacks that are tried here, in the same words."""

import importlib
import pkgutil
import re
from pathlib import Path

import tests.attacks
from tests.attacks.catalogue import CATALOGUE, Attack

PAGE = Path(__file__).parents[2] / "docs" / "ways-round.md"
ROW = re.compile(r"^\| (.+?) \| \*\*(stopped|undone|told)\*\* \| (.+) \|$", re.MULTILINE)


def tried() -> dict[str, Attack]:
    """Return every attack by the name of its test."""
    for module in pkgutil.iter_modules(tests.attacks.__path__):
        importlib.import_module(f"tests.attacks.{module.name}")
    return CATALOGUE


def row(attack: Attack) -> tuple[str, str, str]:
    """Return an attack as a row of the page."""
    return attack.what, attack.answer.value, attack.response


def test_the_page_lists_what_is_tried() -> None:
    """Every attack stands in the page once, with what riskd does about it, and nothing else stands there."""
    listed = ROW.findall(PAGE.read_text(encoding="utf-8"))
    wanted = [row(attack) for attack in tried().values()]
    missing = ["| {} | **{}** | {} |".format(*each) for each in wanted if each not in listed]
    assert not missing, "add to the page:\n" + "\n".join(missing)
    assert sorted(listed) == sorted(wanted)


def test_every_test_of_an_attack_is_listed() -> None:
    """A test in these files is an attack that the page names, and there are at least forty."""
    found = set()
    for file in Path(__file__).parent.glob("test_*.py"):
        if file != Path(__file__):
            found |= set(re.findall(r"^(?:async )?def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE))
    assert found == set(tried())
    assert len(found) >= 40
