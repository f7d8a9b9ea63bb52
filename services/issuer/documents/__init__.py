"""Every JSON document that the issuer signs or shows, as pure functions of facts; no I/O, no clock.

credential   the credential of a learner, by the renderer version that its intent pins
achievement  the achievement as it stands in a credential and at its own address
issuers      the profile and the DID document
status_list  the list credential
signed       proofs planned, attached, and the bytes that are hashed and served
addresses    where each of them lives under PUBLIC_URL
"""
