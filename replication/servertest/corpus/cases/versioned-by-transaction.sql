-- only: mariadb
-- A history that is kept by the numbers of transactions.
CREATE DATABASE ledger; USE ledger;
CREATE TABLE account (id INT PRIMARY KEY, amount INT, x BIGINT UNSIGNED GENERATED ALWAYS AS ROW START, y BIGINT UNSIGNED GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (x, y)) WITH SYSTEM VERSIONING;
INSERT INTO account (id, amount) VALUES (1, 10), (2, 20);
UPDATE account SET amount = 11 WHERE id = 1;
DELETE FROM account WHERE id = 2;
