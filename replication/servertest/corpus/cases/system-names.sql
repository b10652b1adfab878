-- Names as a system's own, and databases that differ in the case of a letter.
CREATE DATABASE `MySQLx`; CREATE DATABASE mysqlx; USE `MySQLx`;
CREATE TABLE user (id INT PRIMARY KEY); CREATE TABLE `User` (id INT PRIMARY KEY);
INSERT INTO user VALUES (1); INSERT INTO `User` VALUES (2);
CREATE TABLE mysqlx.tables (id INT PRIMARY KEY);
CREATE VIEW mysqlx.columns AS SELECT u.id FROM `MySQLx`.user u, `MySQLx`.`User` w;
