-- A table and a function that has nothing to do with it.
CREATE DATABASE little; USE little;
CREATE TABLE numbers (n INT PRIMARY KEY);
CREATE FUNCTION seven() RETURNS INT DETERMINISTIC NO SQL RETURN 7;
CREATE PROCEDURE nothing() BEGIN END;
