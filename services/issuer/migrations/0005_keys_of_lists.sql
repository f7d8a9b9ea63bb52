-- The keys of a list's proofs beside the first, which `key_id` names: a list that one of them signed is published
-- anew when it turns out to be compromised.
ALTER TABLE status_list ADD COLUMN more_key_ids text[] NOT NULL DEFAULT '{}';
