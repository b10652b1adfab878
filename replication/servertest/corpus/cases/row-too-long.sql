-- A table that is made only where the server is not strict about the length of rows.
SET SESSION innodb_strict_mode = OFF;
CREATE DATABASE wide; USE wide;
CREATE TABLE w (id INT PRIMARY KEY, a CHAR(250), b CHAR(250), c CHAR(250), d CHAR(250), e CHAR(250), f CHAR(250), g CHAR(250), h CHAR(250), i CHAR(250), j CHAR(250), k CHAR(250)) CHARACTER SET utf8mb4 ROW_FORMAT=COMPACT;
INSERT INTO w (id, a) VALUES (1, 'x');
