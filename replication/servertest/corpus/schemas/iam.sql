-- Accounts of an identity service: tables that point at each other, UUIDs as text,
-- JSON, generated columns, indexes of prefixes.
CREATE DATABASE iam DEFAULT CHARACTER SET utf8mb4;
USE iam;
CREATE TABLE iam_user_info (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, givenname VARCHAR(64) NOT NULL, familyname VARCHAR(64) NOT NULL,
  email VARCHAR(128) NOT NULL, emailverified TINYINT(1) DEFAULT NULL, birthdate VARCHAR(255), profile JSON, dtype VARCHAR(31),
  full_name VARCHAR(140) GENERATED ALWAYS AS (CONCAT(givenname, ' ', familyname)) VIRTUAL,
  mail_host VARCHAR(128) GENERATED ALWAYS AS (SUBSTRING_INDEX(email, '@', -1)) STORED,
  KEY by_host (mail_host), KEY by_mail (email(10)));
CREATE TABLE iam_account (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, uuid VARCHAR(36) NOT NULL, username VARCHAR(128) COLLATE utf8mb4_bin NOT NULL,
  active TINYINT(1) NOT NULL, creationtime TIMESTAMP NOT NULL DEFAULT '2000-01-01 00:00:00',
  lastupdatetime TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, user_info_id BIGINT, invited_by BIGINT, first_group BIGINT,
  end_time DATETIME(3) NULL, UNIQUE KEY (uuid), UNIQUE KEY (username), UNIQUE KEY uq_info (user_info_id),
  CONSTRAINT fk_info FOREIGN KEY (user_info_id) REFERENCES iam_user_info (id) ON DELETE CASCADE,
  CONSTRAINT fk_invited FOREIGN KEY (invited_by) REFERENCES iam_account (id) ON DELETE SET NULL);
CREATE TABLE iam_group (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(512) CHARACTER SET latin1 NOT NULL, uuid CHAR(36) CHARACTER SET ascii NOT NULL,
  parent_group_id BIGINT, owner_id BIGINT, description VARCHAR(512), UNIQUE KEY (uuid), UNIQUE KEY (name),
  CONSTRAINT fk_group_parent FOREIGN KEY (parent_group_id) REFERENCES iam_group (id),
  CONSTRAINT fk_group_owner FOREIGN KEY (owner_id) REFERENCES iam_account (id));
ALTER TABLE iam_account ADD CONSTRAINT fk_first_group FOREIGN KEY (first_group) REFERENCES iam_group (id);
CREATE TABLE iam_account_group (account_id BIGINT NOT NULL, group_id BIGINT NOT NULL, PRIMARY KEY (group_id, account_id), KEY (account_id),
  CONSTRAINT FOREIGN KEY (account_id) REFERENCES iam_account (id) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT FOREIGN KEY (group_id) REFERENCES iam_group (id) ON DELETE CASCADE);
CREATE TABLE iam_account_attrs (account_id BIGINT NOT NULL, name VARCHAR(64) NOT NULL, val VARCHAR(256), KEY (account_id, name));
CREATE TABLE client_details (id BIGINT NOT NULL AUTO_INCREMENT, client_id VARCHAR(256) COLLATE utf8mb4_bin, jwks TEXT, settings JSON, `key` VARBINARY(64),
  PRIMARY KEY (id), FULLTEXT KEY words (jwks)) ROW_FORMAT=DYNAMIC;
CREATE TABLE databasechangelog (ID VARCHAR(255) NOT NULL, AUTHOR VARCHAR(255) NOT NULL, DATEEXECUTED DATETIME NOT NULL, ORDEREXECUTED INT NOT NULL, MD5SUM VARCHAR(35));
CREATE TABLE dice (n BIGINT NOT NULL);
INSERT INTO dice VALUES (1);
SET foreign_key_checks = 0;
INSERT INTO iam_user_info (id, givenname, familyname, email, profile) VALUES (1, 'Ada', 'L', 'ada@example.org', '{"b": 1, "a": [true, null, "ü😀", 1.5e3]}'),
  (2, 'Ωmega', '😀', 'o@beispiel.example', NULL), (3, '', ' trailing ', '@', '"text"');
INSERT INTO iam_account (id, uuid, username, active, user_info_id, invited_by, first_group, end_time) VALUES
  (1, '80e5fb8d-b7c8-451a-89ba-346ae278a66f', 'admin', 1, 1, 1, 1, NULL), (2, '73f16d93-2441-4a50-88ff-85360d78c6b5', 'Admin', 0, 2, 1, 2, '2038-01-19 03:14:07.999');
INSERT INTO iam_group VALUES (1, 'Analysis', 'c617d586-54e6-411d-8e38-649677980001', NULL, 2, NULL), (2, 'Größe', 'c617d586-54e6-411d-8e38-649677980002', 1, 1, '');
INSERT INTO iam_account_group VALUES (1, 1), (2, 1), (2, 2);
INSERT INTO iam_account_attrs VALUES (1, 'a', NULL), (1, 'a', NULL), (1, 'a', '');
INSERT INTO client_details (client_id, jwks, settings, `key`) VALUES ('Client', 'some words; of text', '{}', x'00ff27005c'), ('client', NULL, '[]', x''), (NULL, '', 'null', NULL);
INSERT INTO databasechangelog VALUES ('1', 'me', '2017-01-01', 1, NULL), ('1', 'me', '2017-01-01', 1, NULL);
SET foreign_key_checks = 1;
CREATE VIEW v_accounts AS SELECT a.username, i.full_name, g.name FROM iam_account a, iam_user_info i, iam_account_group x, iam_group g
  WHERE a.user_info_id = i.id AND x.account_id = a.id AND g.id = x.group_id;
CREATE ALGORITHM=TEMPTABLE VIEW v_counts AS SELECT name, COUNT(*) AS n FROM v_accounts GROUP BY name HAVING COUNT(*) > 0;
DELIMITER $$
CREATE TRIGGER account_insert BEFORE INSERT ON iam_account FOR EACH ROW SET NEW.uuid = LOWER(NEW.uuid)$$
CREATE TRIGGER account_insert_too BEFORE INSERT ON iam_account FOR EACH ROW FOLLOWS account_insert SET NEW.active = IFNULL(NEW.active, 0)$$
CREATE PROCEDURE write_some(IN r BIGINT)
BEGIN
  DECLARE k BIGINT DEFAULT 1 + r MOD 60;
  DECLARE EXIT HANDLER FOR SQLSTATE '23000' ROLLBACK;
  START TRANSACTION;
  CASE (r DIV 60) MOD 6
    WHEN 0 THEN
      INSERT INTO iam_user_info (givenname, familyname, email, profile) VALUES (CONCAT('G', r MOD 7), '名', CONCAT(r, '@h', r MOD 3), JSON_OBJECT('r', r, 'k', k));
      INSERT INTO iam_account (uuid, username, active, user_info_id) VALUES (CONCAT('U', r), CONCAT('u', r MOD 101), r MOD 2, LAST_INSERT_ID());
    WHEN 1 THEN UPDATE iam_user_info SET profile = JSON_SET(IFNULL(profile, '{}'), '$.seen', r), email = CONCAT(k, '@moved') WHERE id = k;
    WHEN 2 THEN DELETE FROM iam_user_info WHERE id = k AND k > 5;
    WHEN 3 THEN REPLACE INTO iam_account_group SELECT id, 1 + r MOD 2 FROM iam_account WHERE id >= k ORDER BY id LIMIT 3;
    WHEN 4 THEN INSERT INTO iam_account_attrs (account_id, name, val) VALUES (k, 'x', REPEAT('é', r MOD 50));
    ELSE UPDATE client_details SET `key` = UNHEX(SHA2(r, 256)), jwks = CONCAT_WS(' ', 'word', r MOD 13) WHERE id = 1 + k MOD 3;
  END CASE;
  IF r MOD 11 = 0 THEN ROLLBACK; ELSE COMMIT; END IF;
END$$
DELIMITER ;
