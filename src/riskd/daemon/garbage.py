"""Keep the garbage collector from stopping the daemon for longer than an enforcement takes."""

import gc


def spare_what_stays() -> None:
    """Take what exists now out of the collector's sight for good; to be called when everything is imported.

    Modules are most of what there is and never become garbage, and looking through them all takes some 40 ms. What a
    step makes is freed as soon as nobody refers to it any more and hardly ever waits for the collector.
    """
    gc.collect()
    gc.freeze()
