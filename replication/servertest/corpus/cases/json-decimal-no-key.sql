-- only: mysql
-- The same without a key, and deep within the value.
CREATE DATABASE prices; USE prices;
CREATE TABLE price (doc JSON, n INT);
INSERT INTO price VALUES (JSON_ARRAY(1, JSON_OBJECT('x', JSON_ARRAY(CAST(1.50 AS DECIMAL(10,2))))), 1), ('[]', 2);
