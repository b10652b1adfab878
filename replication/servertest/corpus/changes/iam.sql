USE iam;
ALTER TABLE iam_account_attrs ADD COLUMN id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY FIRST, CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
ALTER TABLE client_details DROP INDEX words, MODIFY client_id VARCHAR(200) COLLATE utf8mb4_bin NULL;
CREATE TABLE moved LIKE iam_account_attrs;
INSERT INTO moved SELECT * FROM iam_account_attrs;
CREATE TABLE made_of SELECT a.username, CAST(a.id AS CHAR(5)) AS c, NULL AS n FROM iam_account a ORDER BY a.id LIMIT 3;
DROP VIEW v_counts;
CREATE VIEW v_counts AS SELECT g.name, (SELECT COUNT(*) FROM iam_account_group x WHERE x.group_id = g.id) AS n FROM iam_group g;
