-- only: mysql
-- Other values within JSON that its text says otherwise: moments and bytes.
CREATE DATABASE docs; USE docs;
CREATE TABLE doc (id INT PRIMARY KEY, d JSON);
INSERT INTO doc VALUES (1, JSON_OBJECT('t', CAST('2026-01-02 03:04:05.678' AS DATETIME(3)))), (2, JSON_ARRAY(CAST('10:11:12' AS TIME), CAST('2026-01-02' AS DATE))), (3, '[1.0, 1e2, -0.0, 18446744073709551615, 18446744073709551616]');
