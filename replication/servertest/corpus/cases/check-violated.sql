-- only: mariadb
-- Rows that a CHECK forbids, from before it was there.
CREATE DATABASE rules; USE rules;
CREATE TABLE r (id INT PRIMARY KEY, n INT);
INSERT INTO r VALUES (1, -1), (2, 2);
SET SESSION check_constraint_checks = 0;
ALTER TABLE r ADD CONSTRAINT positive CHECK (n > 0);
