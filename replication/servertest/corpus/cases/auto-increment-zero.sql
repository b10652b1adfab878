-- A key that is zero although it counts, and one below zero.
CREATE DATABASE counted; USE counted;
SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
CREATE TABLE c (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v INT);
INSERT INTO c VALUES (0, 1), (-1, 2), (5, 3);
CREATE TABLE second_column (a INT NOT NULL, id INT NOT NULL AUTO_INCREMENT, PRIMARY KEY (a, id)) ENGINE=MyISAM;
INSERT INTO second_column VALUES (1, 0), (1, 1), (2, 0);
