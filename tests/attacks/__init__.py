"""A trader's attack list: every way round a limit that we could think of, tried."""
