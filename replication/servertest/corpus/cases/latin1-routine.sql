-- Routines, triggers and views whose text is latin1: this file is.
SET NAMES latin1;
CREATE DATABASE textes; USE textes;
CREATE TABLE mots (mot VARCHAR(20) CHARACTER SET latin1 PRIMARY KEY DEFAULT 'été' COMMENT 'à lire');
CREATE PROCEDURE `ajouté`() COMMENT 'ça' INSERT INTO mots VALUES ('garçon');
CREATE TRIGGER `à l'ajout` BEFORE INSERT ON mots FOR EACH ROW SET NEW.mot = CONCAT(NEW.mot, ' !');
CREATE VIEW `liste été` AS SELECT mot AS `âge`, 'ü' AS u FROM mots WHERE mot <> 'è';
CALL `ajouté`();
