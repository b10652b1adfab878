-- The same, with a function that reads tables as its caller, also of another database.
CREATE DATABASE grades; CREATE DATABASE `gra%des_x`; USE grades;
CREATE TABLE mark (id INT PRIMARY KEY);
CREATE TABLE `gra%des_x`.scale (id INT PRIMARY KEY, g INT);
INSERT INTO mark VALUES (1), (2);
INSERT INTO `gra%des_x`.scale VALUES (1, 5);
CREATE FUNCTION `gra%des_x`.scaled(i INT) RETURNS INT READS SQL DATA SQL SECURITY INVOKER RETURN (SELECT MAX(g) FROM `gra%des_x`.scale WHERE id = i);
CREATE SQL SECURITY INVOKER VIEW scaled AS SELECT id, `gra%des_x`.scaled(id) AS s FROM mark;
