-- The number 0 of an ENUM that has the empty text as a member too, which prints the same.
SET SESSION sql_mode = '';
CREATE DATABASE states; USE states;
CREATE TABLE state (id INT PRIMARY KEY, s ENUM('new','done',''), t ENUM('a','b'));
INSERT INTO state VALUES (1, 'new', 'a'), (2, '', ''), (3, 0, 0), (4, 'no such member', 'nor this');
