"""What the documentation shows and points to is there."""

import re
from pathlib import Path

import pytest

from riskd.config.loader import load_config

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\[[^\]]*\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")


def anchors(page: Path) -> set[str]:
    """Return what a link may point to in a page: its headings, as they become anchors, and its own anchors."""
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([^"]+)">', text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every link inside the repository leads to a file that exists, and to a place in it that exists."""
    lost = []
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        file = page.parent / target if target else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            lost.append(f"{target}#{anchor}" if anchor else target)
    assert not lost


def test_configuration_of_the_readme_is_valid(tmp_path: Path) -> None:
    """The example that everybody copies loads without a complaint."""
    example = re.search(r"```json\n(.+?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert example is not None
    file = tmp_path / "config.json"
    file.write_text(example[1], encoding="utf-8")
    config = load_config(file, environment={"RISKD_USERNAME": "you", "RISKD_API_KEY": "your-api-key"})
    assert [rule.rule for rule in config.profiles["default"].rules] == [
        "MaxContracts",
        "DailyRealizedLoss",
        "SessionBlockOutside",
    ]
