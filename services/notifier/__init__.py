"""The notifier: tells learners by e-mail and partners by webhook what became of a credential.

It is the only service that sends anything to strangers' servers. It decides nothing about credentials and
holds no key but the webhook secrets; what it sends is requested once, under an id that never changes, and
may arrive more than once with the same bytes.
"""
