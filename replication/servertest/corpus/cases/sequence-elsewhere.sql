-- only: mariadb !mariadb-10.5
-- Sequences of another database, with a name that comes after the table's and odd letters.
CREATE DATABASE za; CREATE DATABASE ab;
CREATE SEQUENCE za.`no. 1` START WITH -5 MINVALUE -100 INCREMENT BY -5 MAXVALUE -1 NOCACHE;
CREATE TABLE ab.t (id INT PRIMARY KEY DEFAULT NEXTVAL(za.`no. 1`), last BIGINT DEFAULT (LASTVAL(za.`no. 1`)));
INSERT INTO ab.t (last) VALUES (1), (2);
CREATE VIEW ab.v AS SELECT id, last FROM ab.t;
