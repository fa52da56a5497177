"""The edges to brokers: each speaks one broker's protocol and reports in riskd's own words."""
