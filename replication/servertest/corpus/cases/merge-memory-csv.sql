-- Engines that hold rows of others, rows that a restart forgets, and rows as text.
CREATE DATABASE engines; USE engines;
CREATE TABLE m1 (id INT NOT NULL, v VARCHAR(10), KEY (id)) ENGINE=MyISAM;
CREATE TABLE m2 (id INT NOT NULL, v VARCHAR(10), KEY (id)) ENGINE=MyISAM;
INSERT INTO m1 VALUES (1, 'a'); INSERT INTO m2 VALUES (2, 'b'), (2, 'b');
CREATE TABLE both_of_them (id INT NOT NULL, v VARCHAR(10), KEY (id)) ENGINE=MRG_MyISAM UNION=(m1, m2) INSERT_METHOD=LAST;
CREATE TABLE remembered (id INT PRIMARY KEY) ENGINE=MEMORY;
INSERT INTO remembered VALUES (1), (2);
CREATE TABLE as_text (id INT NOT NULL, v VARCHAR(20) NOT NULL) ENGINE=CSV;
INSERT INTO as_text VALUES (1, 'a "b", c'), (2, '');
