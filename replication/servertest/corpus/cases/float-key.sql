-- A FLOAT as the primary key, and one beside a key.
CREATE DATABASE weights; USE weights;
CREATE TABLE by_weight (w FLOAT NOT NULL PRIMARY KEY, name VARCHAR(10));
INSERT INTO by_weight VALUES (0.1, 'a'), (16777215, 'b');
CREATE TABLE weighed (id INT PRIMARY KEY, w FLOAT);
INSERT INTO weighed VALUES (1, 3.14159265), (2, 0.5);
