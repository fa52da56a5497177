"""The words of riskd's field: values without behaviour that reaches outside."""
