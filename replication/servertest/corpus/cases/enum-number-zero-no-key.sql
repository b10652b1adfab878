-- The same where no key finds the row.
SET SESSION sql_mode = '';
CREATE DATABASE states; USE states;
CREATE TABLE state (s ENUM('new','') CHARACTER SET latin1 NOT NULL DEFAULT 'new' COMMENT 'it''s', n INT);
INSERT INTO state VALUES ('', 1), (0, 1), ('new', 2);
