"""The issuer: decides to issue, signs, revokes, publishes keys and status lists; alone holds private keys."""
