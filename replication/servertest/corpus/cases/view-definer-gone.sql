-- A view and routines whose definer was dropped.
CREATE USER 'left us'@'%' IDENTIFIED BY 'x';
CREATE DATABASE orphans; USE orphans;
CREATE TABLE t (id INT PRIMARY KEY);
CREATE DEFINER='left us'@'%' VIEW v AS SELECT id FROM t;
CREATE DEFINER='left us'@'%' PROCEDURE p() SELECT 1;
CREATE DEFINER='left us'@'%' TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.id = NEW.id;
DROP USER 'left us'@'%';
