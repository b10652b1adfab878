-- Text that Unicode has otherwise: a backslash of sjis, with a key and without.
CREATE DATABASE backslash; USE backslash;
CREATE TABLE paths (id INT PRIMARY KEY, path VARCHAR(20) CHARACTER SET sjis NOT NULL DEFAULT '', note TEXT CHARACTER SET gbk);
INSERT INTO paths VALUES (1, _sjis x'433A5C78', NULL), (2, _sjis x'955C815F', _gbk x'BF5C'), (3, '', '');
CREATE TABLE no_key (path CHAR(9) CHARACTER SET sjis COMMENT 'it''s');
INSERT INTO no_key VALUES (_sjis x'5C'), (_sjis x'5C'), (NULL);
