-- Text of an old client: the bytes of UTF-8 in columns of latin1.
CREATE DATABASE oldtext CHARACTER SET latin1; USE oldtext;
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50), e ENUM('x'), KEY (v)) CHARACTER SET latin1;
INSERT INTO t (id, v) VALUES (1, _latin1 x'C3A9C3A0'), (2, _latin1 x'E9'), (3, _latin1 x'F09F9880');
CREATE TABLE k (v VARCHAR(50) COLLATE latin1_bin PRIMARY KEY) CHARACTER SET latin1;
INSERT INTO k VALUES (_latin1 x'C3A9'), (_latin1 x'8190'), (_latin1 x'FF');
