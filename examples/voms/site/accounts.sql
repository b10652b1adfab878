-- The accounts that VOMS has at the server of its own host. Accounts are not replicated: they
-- are made on both hosts, and kept out of the binary log, where a slave would have a
-- transaction that its master lacks.
SET SESSION sql_log_bin = 0;
CREATE USER voms_core@localhost IDENTIFIED BY 'the-one-in-voms.pass';
GRANT SELECT ON voms.* TO voms_core@localhost;
CREATE USER voms_admin@localhost IDENTIFIED BY 'the-one-of-VOMS-Admin';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP, REFERENCES ON voms.* TO voms_admin@localhost;
