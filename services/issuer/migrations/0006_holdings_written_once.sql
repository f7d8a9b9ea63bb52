-- A holding is opened with the credential that will be held: its row changes no more, and needs no room to.
ALTER TABLE holding RESET (fillfactor);
