-- Character sets beside the usual ones, and text that several of them cannot hold.
CREATE DATABASE planes CHARACTER SET utf8mb4; USE planes;
CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(20) CHARACTER SET ucs2, b VARCHAR(20) CHARACTER SET utf16, c VARCHAR(20) CHARACTER SET utf32, d VARCHAR(20) CHARACTER SET koi8r, e VARCHAR(20) CHARACTER SET sjis, f VARCHAR(20) CHARACTER SET gbk, g VARCHAR(20) CHARACTER SET cp1251, h CHAR(5) CHARACTER SET utf8mb3, i TEXT CHARACTER SET latin2, KEY (a), KEY (f));
INSERT INTO t VALUES (1, 'Ω', '😀', '😀', 'жук', 'あ', '中文', 'ё', 'ä', 'ł'), (2, '', '', '', '', '', '', '', '', ''), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO t (id, e, f) VALUES (4, _sjis x'955C', _gbk x'BF5C');
