"""The assessor's verbs: submit, erase, keep achievements, enquire. Each gets facts and asks the domain."""
