-- A holding is opened with the credential that will be held: its row seldom changes, and needs no room to.
ALTER TABLE holding RESET (fillfactor);
