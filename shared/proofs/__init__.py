"""Everything that turns a credential into bytes to be signed, and a proof back into a yes or a no.

Nothing here knows a service, a table or an address, and nothing here reaches the network: contexts are
pinned, keys and times are arguments. The parts, in the order in which a credential meets them:

    strictjson        bytes → value, or refused
    vcdm, related_resources, openbadge_schema   is it a credential, is it a badge
    jcs, rdfc         value → its one canonical form
    suites            document and proof options → the 64 bytes that are signed
    workers           the same in killable processes, many at a time
    dataintegrity, proof_chain   the proof object, in and out, alone, in sets and in chains
    jws, vc_jwt       the same as signed tokens
    public_keys, multikey, jwk, didkey, didweb   public keys, their algorithms and their names
    bitstring         status lists
"""
