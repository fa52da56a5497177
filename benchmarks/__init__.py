"""How fast riskd is, one command per figure."""
