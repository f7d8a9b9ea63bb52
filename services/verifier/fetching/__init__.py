"""What strangers' servers say: DID documents and status lists, by the guarded client, kept for a while."""
