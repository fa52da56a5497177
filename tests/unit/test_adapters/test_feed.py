from datetime import UTC, datetime, timedelta

from riskd.adapters.projectx.feed import RESUBSCRIBE_EVERY_S, Feed, Silence

START = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
QUIET = Silence((), ())


def after(seconds: float) -> tuple[datetime, float]:
    """Return riskd's time and the loop's, so many seconds after the start."""
    return START + timedelta(seconds=seconds), 1000.0 + seconds


def feed_of(*contracts: str) -> Feed:
    """Return a feed that watches contracts since the start."""
    feed = Feed(lambda: 10.0)
    for contract in contracts:
        feed.watch(contract, *after(0))
    return feed


def test_silence_is_reported_once_at_the_limit() -> None:
    """At ten seconds exactly a contract is silent, before that it is not, and once is enough."""
    feed = feed_of("MNQ", "ES")
    feed.heard("ES", *after(5))
    assert feed.look(*after(9.9)) == QUIET
    assert feed.look(*after(10)) == Silence(("MNQ",), ("MNQ",))
    assert feed.look(*after(11)) == QUIET
    assert feed.look(*after(15)) == Silence(("ES",), ("ES",))


def test_a_silent_contract_is_asked_for_again_every_half_minute() -> None:
    """A subscription that does not help at once is repeated, without reporting the silence again."""
    feed = feed_of("MNQ")
    feed.look(*after(10))
    assert feed.look(*after(10 + RESUBSCRIBE_EVERY_S - 1)) == QUIET
    assert feed.look(*after(10 + RESUBSCRIBE_EVERY_S)) == Silence((), ("MNQ",), helpless=True)


def test_one_living_contract_shows_that_the_connection_lives() -> None:
    """Only when nothing at all comes is the connection itself in doubt."""
    feed = feed_of("MNQ", "ES")
    feed.heard("ES", *after(9))
    feed.look(*after(10))
    feed.heard("ES", *after(39))
    assert feed.look(*after(10 + RESUBSCRIBE_EVERY_S)) == Silence((), ("MNQ",))


def test_a_price_ends_the_silence_and_the_next_one_is_reported_again() -> None:
    """Only the price that ends a silence says so."""
    feed = feed_of("MNQ")
    feed.look(*after(10))
    assert feed.heard("MNQ", *after(12))
    assert not feed.heard("MNQ", *after(13))
    assert feed.look(*after(23)) == Silence(("MNQ",), ("MNQ",))


def test_a_closed_market_or_a_lost_hub_is_no_silence() -> None:
    """After an excuse the ten seconds begin anew."""
    feed = feed_of("MNQ")
    feed.excuse(*after(3600))
    assert feed.look(*after(3605)) == QUIET
    assert feed.look(*after(3610)) == Silence(("MNQ",), ("MNQ",))
    feed.closed(("MNQ",), *after(7200))
    assert feed.look(*after(7205)) == QUIET


def test_a_contract_has_no_price_when_none_came_by_any_way() -> None:
    """Prints and bars are prices though they do not end the silence of quotes; a lost hub excuses nothing."""
    feed = feed_of("MNQ", "ES")
    feed.heard("MNQ", *after(5))
    feed.priced("ES", *after(5), known_to=START + timedelta(seconds=4))
    feed.excuse(*after(9))
    assert feed.unpriced(*after(10)) == ("MNQ",)
    assert feed.unpriced(*after(15)) == ("MNQ", "ES")
    assert feed.known_to("ES") == START + timedelta(seconds=4)
    assert feed.look(*after(19)).reported == ("MNQ", "ES")


def test_without_a_hub_a_missing_price_is_told_once() -> None:
    """The excuse of the lost hub keeps the contract from being called silent, not from being without a price."""
    feed = feed_of("MNQ")
    feed.excuse(*after(9))
    assert feed.missed(*after(9)) == ()
    assert feed.missed(*after(10)) == ("MNQ",)
    assert feed.missed(*after(11)) == ()
    assert feed.heard("MNQ", *after(12))


def test_a_closed_market_needs_no_price() -> None:
    """Ten seconds after it has opened it does, and from then on only what traded since is news."""
    feed = feed_of("MNQ")
    feed.closed(("MNQ",), *after(3600))
    assert feed.unpriced(*after(3609)) == ()
    assert feed.unpriced(*after(3610)) == ("MNQ",)
    assert feed.known_to("MNQ") == START + timedelta(hours=1)


def test_an_old_price_does_not_take_the_newest_ones_time() -> None:
    """A bar that overlaps what was quoted leaves it as the newest."""
    feed = feed_of("MNQ")
    feed.priced("MNQ", *after(1), known_to=START + timedelta(seconds=1))
    feed.priced("MNQ", *after(2), known_to=START)
    assert feed.known_to("MNQ") == START + timedelta(seconds=1)
    feed.priced("ES", *after(2), known_to=START)
    assert feed.known_to("ES") is None


def test_a_leap_of_simulated_time_is_no_silence() -> None:
    """An hour that passes in a moment does not make a feed silent, nor does a moment that real time waits."""
    feed = feed_of("MNQ")
    assert feed.look(START + timedelta(hours=1), 1000.1) == QUIET
    assert feed.look(START + timedelta(seconds=1), 2000.0) == QUIET


def test_contracts_are_watched_once_and_let_go() -> None:
    """A contract that nobody holds any more is not missed."""
    feed = feed_of("MNQ", "ES")
    assert not feed.watch("MNQ", *after(1))
    assert feed.watched() == ("MNQ", "ES")
    assert feed.unwatch("MNQ")
    assert not feed.unwatch("MNQ")
    assert feed.look(*after(10)) == Silence(("ES",), ("ES",))


def test_what_nobody_has_wanted_for_a_while_is_known() -> None:
    """Each wish counts anew; quotes are no wish."""
    feed = feed_of("MNQ", "ES")
    assert feed.unwanted(after(0)[1]) == ()
    feed.watch("ES", *after(5))
    feed.heard("MNQ", *after(6))
    assert feed.unwanted(after(5)[1]) == ("MNQ",)
    assert feed.unwanted(after(6)[1]) == ("MNQ", "ES")


def test_a_price_of_a_contract_that_nobody_watches_is_no_news() -> None:
    """An unexpected quote changes nothing."""
    feed = feed_of()
    assert not feed.heard("MNQ", *after(1))
    assert feed.watched() == ()
