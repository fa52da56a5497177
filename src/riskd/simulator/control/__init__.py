"""What a test does to the gateway that no client can."""
