"""``riskd demo``: one trading day with a stubborn trader, a simulated broker in this process and the real daemon."""
