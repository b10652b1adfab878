-- A view that runs a function as whoever reads it.
CREATE DATABASE grades; USE grades;
CREATE TABLE mark (id INT PRIMARY KEY, points INT);
INSERT INTO mark VALUES (1, 10), (2, 20);
CREATE FUNCTION grade(p INT) RETURNS CHAR(1) DETERMINISTIC RETURN IF(p > 15, 'A', 'B');
CREATE SQL SECURITY INVOKER VIEW graded AS SELECT id, grade(points) AS g FROM mark;
CREATE SQL SECURITY INVOKER VIEW best AS SELECT id FROM graded WHERE g = 'A';
