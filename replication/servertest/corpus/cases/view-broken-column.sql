-- A view whose column is gone, and one upon it.
CREATE DATABASE shop; USE shop;
CREATE TABLE item (id INT PRIMARY KEY, price INT);
CREATE VIEW priced AS SELECT id, price FROM item;
CREATE VIEW cheap AS SELECT id FROM priced WHERE price < 10;
ALTER TABLE item DROP COLUMN price;
