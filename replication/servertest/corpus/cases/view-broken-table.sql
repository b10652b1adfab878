-- Views whose table, function or other database is gone, one of them under an odd name.
CREATE DATABASE shop; CREATE DATABASE gone; USE shop;
CREATE TABLE item (id INT PRIMARY KEY);
CREATE TABLE stock (id INT PRIMARY KEY);
CREATE TABLE gone.t (id INT PRIMARY KEY);
CREATE FUNCTION tax(a INT) RETURNS INT DETERMINISTIC RETURN a * 2;
CREATE VIEW `in ``stock` AS SELECT i.id FROM item i, stock s WHERE i.id = s.id;
CREATE VIEW taxed AS SELECT tax(id) AS t FROM item;
CREATE VIEW elsewhere AS SELECT id FROM gone.t;
DROP TABLE stock;
DROP FUNCTION tax;
DROP DATABASE gone;
