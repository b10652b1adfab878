-- only: mariadb
-- A history in partitions of its own.
CREATE DATABASE ledger; USE ledger;
CREATE TABLE entry (id INT PRIMARY KEY, amount INT) WITH SYSTEM VERSIONING PARTITION BY SYSTEM_TIME (PARTITION h HISTORY, PARTITION now CURRENT);
INSERT INTO entry VALUES (1, 10), (2, 20);
UPDATE entry SET amount = amount + 1;
DELETE FROM entry WHERE id = 2;
