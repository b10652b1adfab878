-- only: mariadb
-- The name of an event is given in latin1: this file is.
SET NAMES latin1;
CREATE DATABASE calendar; USE calendar;
CREATE TABLE days (day INT PRIMARY KEY);
CREATE EVENT `noël` ON SCHEDULE EVERY 1 DAY DO DELETE FROM days WHERE day > 365;
CREATE EVENT plain ON SCHEDULE EVERY 1 YEAR COMMENT 'fête' DO DELETE FROM days WHERE day = 0;
