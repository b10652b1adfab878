-- only: mariadb !mariadb-10.5
-- A table whose key comes from a sequence.
CREATE DATABASE tickets; USE tickets;
CREATE SEQUENCE ticket_no START WITH 1000 INCREMENT BY 3;
CREATE TABLE ticket (no BIGINT NOT NULL DEFAULT NEXT VALUE FOR ticket_no PRIMARY KEY, what VARCHAR(20));
INSERT INTO ticket (what) VALUES ('one'), ('two'), ('three');
