"""What riskd keeps on disk: the journal and one state file per account."""
