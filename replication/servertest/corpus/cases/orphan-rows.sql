-- Rows without the row that their foreign key names, and a key to a table that is gone.
SET SESSION foreign_key_checks = 0;
CREATE DATABASE family; USE family;
CREATE TABLE parent (id INT PRIMARY KEY);
CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id));
INSERT INTO child VALUES (1, 5), (2, NULL);
CREATE TABLE orphan (id INT PRIMARY KEY, p INT, CONSTRAINT nobody FOREIGN KEY (p) REFERENCES nowhere (id));
INSERT INTO orphan VALUES (1, 1);
