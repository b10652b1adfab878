-- Bodies with what ends a statement of a dump.
CREATE DATABASE `semi;colon`; USE `semi;colon`;
DELIMITER $$
CREATE TABLE `t;` (`a;b` INT PRIMARY KEY, `v*/` VARCHAR(20) DEFAULT ';; -- */' COMMENT ';;')$$
CREATE PROCEDURE `p;;`() BEGIN
SELECT ';;', '*/', '
DELIMITER ;
' AS `x;`; /* ;; */ END$$
CREATE TRIGGER `tr;` BEFORE INSERT ON `t;` FOR EACH ROW BEGIN SET NEW.`v*/` = ';;
-- no end'; END$$
INSERT INTO `t;` VALUES (1, ';')$$
DELIMITER ;
