-- Digits of a FLOAT that no dump prints, without a key, beside dates that are zero.
SET SESSION sql_mode = '';
CREATE DATABASE rates; USE rates;
CREATE TABLE measured (rate FLOAT NOT NULL DEFAULT 0.5 COMMENT 'per second; it''s "raw"', at DATETIME NOT NULL, day DATE NOT NULL DEFAULT '0000-00-00', other FLOAT(10,4) UNSIGNED NULL);
INSERT INTO measured (rate, at) VALUES (16777.217, 0), (1, '2020-01-01'), (1.1234567, 0);
