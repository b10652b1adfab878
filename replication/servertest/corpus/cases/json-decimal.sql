-- only: mysql
-- A DECIMAL within JSON, which the text of JSON cannot say.
CREATE DATABASE prices; USE prices;
CREATE TABLE price (id INT PRIMARY KEY, doc JSON);
INSERT INTO price VALUES (1, JSON_OBJECT('eur', CAST(12.340 AS DECIMAL(10,3)))), (2, '{"eur": 12.34}'), (3, NULL);
