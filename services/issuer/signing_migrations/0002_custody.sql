-- Where a private key lies: sealed in its row, or on a PKCS#11 token that knows it by `token_object` (CKA_ID).
ALTER TABLE signing_key
    ADD COLUMN custody text NOT NULL DEFAULT 'envelope',
    ADD COLUMN token_object bytea,
    ALTER COLUMN envelope DROP NOT NULL,
    ADD CHECK ((custody = 'envelope' AND envelope IS NOT NULL AND token_object IS NULL)
            OR (custody = 'pkcs11' AND envelope IS NULL AND token_object IS NOT NULL));
ALTER TABLE signing_key ALTER COLUMN custody DROP DEFAULT;
