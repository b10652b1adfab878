-- Names that have to be quoted, everywhere.
CREATE DATABASE `groups %_ & näme` DEFAULT CHARACTER SET utf8mb4;
USE `groups %_ & näme`;
CREATE TABLE `a.b` (`id` INT NOT NULL PRIMARY KEY, `c.d` VARCHAR(20), `e``f` INT DEFAULT 1, `"g"` INT, `'h'` INT, `i j` INT, `ünï` INT, `$` INT, `1` INT, KEY `k.l` (`c.d`), KEY `m``n` (`e``f`));
CREATE TABLE `tick``tock` (`id` INT NOT NULL PRIMARY KEY, `x\y` VARCHAR(20) DEFAULT 'a\\b''c"d`e' COMMENT 'it''s \\ "x" `y`; --');
CREATE TABLE ` lead` (`id` INT NOT NULL, `select` INT, `primary` VARCHAR(10), PRIMARY KEY (`id`), UNIQUE `unique` (`select`)) COMMENT='-- ; /* */';
CREATE TABLE `select` (`from` INT PRIMARY KEY, `where` ENUM('a''b','c"d','e\\f','g;h','i,j','ß') DEFAULT 'i,j', `order` SET('x y','z''','`') DEFAULT 'x y,`');
CREATE TABLE `日本` (`名` VARCHAR(20) PRIMARY KEY, `値` INT) COMMENT='コメント';
CREATE TABLE `T` (id INT PRIMARY KEY);
CREATE TABLE `t` (id INT PRIMARY KEY);
CREATE TABLE `%_` (id INT PRIMARY KEY, `100%` INT, `a_b` INT);
CREATE TABLE `#sql-x` (id INT PRIMARY KEY);
CREATE TABLE `-` (`(` INT PRIMARY KEY, `)` INT AS (`(` + 1) VIRTUAL);
CREATE TABLE dice (n BIGINT NOT NULL);
INSERT INTO dice VALUES (1);
INSERT INTO `a.b` VALUES (1, 'x', 2, 3, 4, 5, 6, 7, 8), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO `tick``tock` (id) VALUES (1), (2);
INSERT INTO `tick``tock` VALUES (3, '%s %d \\'), (4, ''), (5, NULL);
INSERT INTO ` lead` VALUES (1, NULL, ''), (2, NULL, ' '), (3, 1, 'a ');
INSERT INTO `select` VALUES (1, 'g;h', ''), (2, NULL, NULL), (3, 'ß', 'x y,z''');
INSERT INTO `日本` VALUES ('値', 1), ('😀', 2), ('', 3);
INSERT INTO `T` VALUES (1);
INSERT INTO `t` VALUES (2);
INSERT INTO `%_` VALUES (1, 2, 3);
INSERT INTO `#sql-x` VALUES (1);
INSERT INTO `-` (`(`) VALUES (1);
CREATE VIEW `v.w` AS SELECT `id`, `c.d` AS `it's "x"` FROM `a.b` AS `x.y` WHERE `x.y`.`e``f` > 0;
CREATE VIEW `v``w` AS SELECT v.`it's "x"` AS `a``b`, t.`x\y` FROM `v.w` v JOIN `tick``tock` t ON t.id = v.id;
CREATE VIEW `用` AS SELECT `名`, '日本' AS `国` FROM `日本`;
DELIMITER //
CREATE TRIGGER `tr.ig` BEFORE UPDATE ON `a.b` FOR EACH ROW SET NEW.`e``f` = IFNULL(NEW.`e``f`, 0) + 1//
CREATE TRIGGER `tr``ig` AFTER INSERT ON `select` FOR EACH ROW BEGIN IF NEW.`from` < 0 THEN INSERT INTO `T` VALUES (NEW.`from`); END IF; END//
CREATE FUNCTION `f.g`(`a``b` INT) RETURNS INT DETERMINISTIC COMMENT 'it''s `f`' RETURN `a``b` + 1//
CREATE PROCEDURE `p q`(INOUT `x.y` INT) SET `x.y` = `f.g`(`x.y`)//
CREATE PROCEDURE write_some(IN r BIGINT)
BEGIN
  DECLARE k INT DEFAULT r MOD 30;
  CASE (r DIV 30) MOD 6
    WHEN 0 THEN REPLACE INTO `a.b` (id, `c.d`, `ünï`) VALUES (k, CONCAT('v', r MOD 100), `f.g`(k));
    WHEN 1 THEN UPDATE `a.b` SET `c.d` = IF(r MOD 2, CONCAT(r MOD 9, ' '), NULL) WHERE id = k;
    WHEN 2 THEN INSERT INTO `select` (`from`, `order`) VALUES (k + 10, r MOD 8) ON DUPLICATE KEY UPDATE `where` = 1 + r MOD 6;
    WHEN 3 THEN DELETE FROM `select` WHERE `from` = k + 10;
    WHEN 4 THEN REPLACE INTO `日本` VALUES (CONCAT('行', k, '😀'), r);
    ELSE INSERT IGNORE INTO `-` (`(`) VALUES (k), (-k);
  END CASE;
END//
CREATE EVENT `ev.ent é` ON SCHEDULE EVERY 3 SECOND DO REPLACE INTO `%_` VALUES (7, SECOND(NOW()), 0)//
DELIMITER ;
