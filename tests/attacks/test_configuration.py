"""Ways round a limit by the configuration file: read as the daemon reads it, and proposed to an account as it does."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from riskd.config.errors import ConfigErrors
from riskd.config.loader import load_config
from riskd.config.specs import specs
from riskd.daemon.configuration import proposals
from riskd.domain.events import AccountArmed, RulesApplied
from riskd.engine.rule_changes import loosening_due
from riskd.rules import registry
from tests.attacks.catalogue import Answer, attack
from tests.support.desk import Desk, contract, ct

Edit = Callable[[dict[str, object]], None]
File = dict[str, object]

TEXT = """{
  "version": 1,
  "broker": {"rest_url": "https://a.example", "user_hub_url": "https://a.example", "market_hub_url": "https://a.example",
             "username": "u", "api_key": "k"},
  "accounts": [{"id": "A1", "profile": "mine"}],
  "profiles": {
    "mine": {"rules": [
      {"rule": "MaxContracts", "params": {"max_contracts": 2}},
      {"rule": "SessionBlockOutside", "params": {"allowed_days": ["Tuesday", "Wednesday"],
                                                 "allowed_times": [{"start": "08:30", "end": "15:00"}]}}]},
    "loose": {"rules": [{"rule": "MaxContracts", "params": {"max_contracts": 50}}]}
  }
}"""


class Trader:
    """A trader with a file, and riskd that reads it whenever it is saved."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "config.json"
        self.file.write_text(TEXT, encoding="utf-8")
        self.desk = Desk()
        self.desk.publish(RulesApplied(account="A1", spec=self.wanted()["A1"]))
        self.desk.snapshot()
        self.desk.publish(AccountArmed(account="A1"))
        self.desk.forget()

    def wanted(self) -> dict[str, str]:
        """Return what the file says now."""
        return dict(specs(load_config(self.file, environment={})))

    def saves(self, edit: Edit) -> None:
        """Edit the file and save it; riskd takes over what may apply."""
        raw = json.loads(TEXT)
        edit(raw)
        self.file.write_text(json.dumps(raw), encoding="utf-8")
        for proposal in tuple(proposals(self.wanted(), self.desk.core.state_manager.accounts)):
            self.desk.publish(proposal)

    def assert_nothing_gained(self) -> None:
        """Make sure that the third contract is still closed, and that what was saved waits until tomorrow."""
        assert self.desk.state.pending is not None
        assert self.desk.state.pending.effective_at == ct("2026-03-11 17:00")
        self.desk.fill("buy", 3, "MNQ", "18000")
        assert self.desk.closes == [(contract("MNQ"), 1)]


@pytest.fixture
def trader(tmp_path: Path) -> Trader:
    """Return a trader whose account may hold two contracts."""
    return Trader(tmp_path)


def rules(raw: File) -> list[dict[str, object]]:
    """Return the rules of the profile."""
    found = json_at(raw, "profiles", "mine", "rules")
    assert isinstance(found, list)
    return found


def json_at(raw: object, *keys: str) -> object:
    """Return what stands at a place of the file."""
    for key in keys:
        assert isinstance(raw, dict)
        raw = raw[key]
    return raw


def first_account(raw: File) -> dict[str, object]:
    """Return the account's entry."""
    accounts = raw["accounts"]
    assert isinstance(accounts, list)
    found = accounts[0]
    assert isinstance(found, dict)
    return found


@attack(Answer.STOPPED)
def test_raise_the_limit(trader: Trader) -> None:
    """Raise the limit in the file while riskd runs.

    → What is not provably tighter waits for a 17:00 that is at least twelve hours away; until then the old limit holds.
    """
    trader.saves(lambda raw: rules(raw)[0].update(params={"max_contracts": 9}))
    trader.assert_nothing_gained()


@attack(Answer.STOPPED)
def test_disable_the_rule(trader: Trader) -> None:
    """Set `"enabled": false`, or delete the rule.

    → The same as raising its limit without end: it waits.
    """
    trader.saves(lambda raw: rules(raw)[0].update(enabled=False))
    trader.saves(lambda raw: rules(raw).remove(rules(raw)[0]))
    trader.assert_nothing_gained()


@attack(Answer.STOPPED)
def test_put_the_rule_into_shadow_mode(trader: Trader) -> None:
    """Set the rule's, or the account's, mode to shadow.

    → A rule that only tells is a looser one: it waits.
    """
    trader.saves(lambda raw: rules(raw)[0].update(mode="shadow"))
    trader.saves(lambda raw: first_account(raw).update(mode="shadow"))
    trader.assert_nothing_gained()


@attack(Answer.STOPPED)
def test_use_another_profile(trader: Trader) -> None:
    """Move the account to a looser profile, or give the account's profile another content under a new name.

    → What counts are the rules that the account would have, not the names they stand under: it waits.
    """

    def renamed(raw: File) -> None:
        first_account(raw).update(profile="other")
        profiles = raw["profiles"]
        assert isinstance(profiles, dict)
        profiles["other"] = profiles.pop("loose")

    trader.saves(lambda raw: first_account(raw).update(profile="loose"))
    trader.saves(renamed)
    trader.assert_nothing_gained()


@attack(Answer.STOPPED)
def test_take_the_account_out_of_the_file(trader: Trader) -> None:
    """Delete the account from the file, or give it another id.

    → An account that was enforced stays enforced under its rules, and is let go of at the later 17:00.
    """
    trader.saves(lambda raw: first_account(raw).update(id="A9"))
    trader.assert_nothing_gained()


@attack(Answer.STOPPED)
def test_override_for_one_account(trader: Trader) -> None:
    """Leave the profile as it is and override the rule for the account.

    → Overrides are part of the account's rules: it waits.
    """
    override = {"rule": "MaxContracts", "params": {"max_contracts": 9}}
    trader.saves(lambda raw: first_account(raw).update(overrides=[override]))
    trader.assert_nothing_gained()


@attack(Answer.STOPPED)
def test_have_loosening_apply_at_once(trader: Trader) -> None:
    """Set `"loosening": "immediate"` and raise the limit together with it.

    → `loosening` is a limit itself: both wait.
    """

    def edit(raw: File) -> None:
        raw["loosening"] = "immediate"
        rules(raw)[0].update(params={"max_contracts": 9})

    trader.saves(edit)
    trader.assert_nothing_gained()


@attack(Answer.STOPPED)
def test_hide_a_raise_behind_a_stricter_limit(trader: Trader) -> None:
    """Change the unit from contracts to minis, so that a smaller number allows more.

    → Where a change is neither provably tighter nor looser, the old and the new limit hold together.
    """
    trader.saves(lambda raw: rules(raw)[0].update(params={"max_contracts": 1, "unit": "minis"}))
    trader.assert_nothing_gained()


@attack(Answer.STOPPED)
def test_rename_the_rule(trader: Trader) -> None:
    """Give the rule another `id` together with a higher limit, so that it seems to be a new one.

    → The rule under its old name would be gone, which is loosening: it stays beside the new one until it may go.
    """
    trader.saves(lambda raw: rules(raw)[0].update(id="size", params={"max_contracts": 9}))
    trader.assert_nothing_gained()


@attack(Answer.STOPPED)
def test_reckon_the_loss_differently(trader: Trader) -> None:
    """Leave every limit as it is and leave out the fees, or judge by another price, in `pnl`.

    → How profit and loss are reckoned is part of every limit: it waits.
    """
    for pnl in ({"fees": "excluded"}, {"price_source": "bid_ask"}, {"stale_after": "1h"}):
        trader.saves(partial(_reckons, pnl))
        assert trader.desk.state.pending is not None, pnl
        trader.saves(partial(_reckons, {}))
        assert trader.desk.state.pending is None, pnl


def _reckons(pnl: Mapping[str, str], raw: File) -> None:
    raw["pnl"] = pnl


@attack(Answer.STOPPED)
def test_another_time_zone(trader: Trader) -> None:
    """Change the time zone of the trading hours, so that the session lasts longer.

    → Another time zone is not provably tighter: both sessions bind until the change applies.
    """

    def edit(raw: File) -> None:
        params = rules(raw)[1]["params"]
        assert isinstance(params, dict)
        params["timezone"] = "America/Los_Angeles"

    trader.saves(edit)
    desk = trader.desk
    desk.wait("2026-03-10 14:30")
    desk.fill("buy", 1, "MNQ", "18000")
    assert desk.closes == []
    desk.wait("2026-03-10 15:00")
    assert desk.closes == [(contract("MNQ"), None)]


@attack(Answer.STOPPED)
def test_change_it_again_and_again(trader: Trader) -> None:
    """Announce a small raise early, then replace it by a large one shortly before its time.

    → What is looser than what was announced waits anew; only what is no looser keeps the time.
    """
    trader.saves(lambda raw: rules(raw)[0].update(params={"max_contracts": 3}))
    desk = trader.desk
    desk.wait("2026-03-11 16:59")
    trader.saves(lambda raw: rules(raw)[0].update(params={"max_contracts": 50}))

    assert desk.state.pending is not None
    assert desk.state.pending.effective_at == loosening_due(desk.at) == ct("2026-03-12 17:00")


@attack(Answer.STOPPED)
def test_break_the_file(trader: Trader) -> None:
    """Save a file that cannot be read, with an unknown rule, a limit without its sign, or half of it.

    → A file with a mistake is refused as a whole, with every mistake named; what applied before goes on.
    """
    for text in (TEXT[:200], TEXT.replace("MaxContracts", "MaxContract"), TEXT.replace(": 2}", ": -2}"), "", "{}"):
        trader.file.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigErrors):
            trader.wanted()
    trader.file.unlink()
    with pytest.raises(ConfigErrors):
        trader.wanted()
    trader.desk.fill("buy", 3, "MNQ", "18000")
    assert trader.desk.closes == [(contract("MNQ"), 1)]


@attack(Answer.STOPPED)
def test_say_a_key_twice(trader: Trader) -> None:
    """Write the same key twice, hoping that the last one counts.

    → A key that stands twice is a mistake, named with both lines.
    """
    trader.file.write_text(
        TEXT.replace('{"max_contracts": 2}', '{"max_contracts": 2, "max_contracts": 50}'), encoding="utf-8"
    )
    with pytest.raises(ConfigErrors, match="max_contracts"):
        trader.wanted()


@attack(Answer.STOPPED)
def test_make_a_rule_unloadable(trader: Trader) -> None:
    """Uninstall the package of a rule, so that it cannot be loaded any more.

    → An account whose rules cannot all be loaded takes no new risk, and people are told.
    """
    spec = trader.wanted()["A1"].replace("SessionBlockOutside", "RuleOfAPackageThatIsGone")
    desk = Desk()
    desk.publish(RulesApplied(account="A1", spec=spec))
    desk.snapshot()
    desk.publish(AccountArmed(account="A1"))

    desk.fill("buy", 1, "MNQ", "18000")

    assert desk.closes == [(contract("MNQ"), None)]
    assert any("RuleOfAPackageThatIsGone" in alert.text for alert in desk.alerts)


@pytest.fixture
def impostor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a package that offers a MaxContracts of its own, which never fires."""
    metadata = tmp_path / "impostor-1.0.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: impostor\nVersion: 1.0.0\n", encoding="utf-8")
    entry = "[riskd.rules]\nMaxContracts = impostor:MaxContractsRule\n"
    (metadata / "entry_points.txt").write_text(entry, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    registry.forget_installed()
    yield
    monkeypatch.undo()
    registry.forget_installed()


@attack(Answer.STOPPED)
@pytest.mark.usefixtures("impostor")
def test_install_a_rule_under_a_known_name() -> None:
    """Install a package with a rule of the name MaxContracts that never finds anything.

    → A rule that two packages offer is not loaded: the account takes no new risk, and both packages are named.
    """
    desk = Desk({"MaxContracts": {"max_contracts": 2}}, armed=False)
    desk.publish(AccountArmed(account="A1"))

    desk.fill("buy", 1, "MNQ", "18000")

    assert desk.closes == [(contract("MNQ"), None)]
    assert any("offered by impostor and riskd; uninstall one of them" in alert.text for alert in desk.alerts)
