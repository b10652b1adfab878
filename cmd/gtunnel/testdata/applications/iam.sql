-- What an identity service keeps: the names of INDIGO IAM's tables, with columns of our own that
-- have the features of its published migrations: foreign keys that cascade, to a unique column
-- that is no primary key, too; tables without a primary key; latin1; JSON as text; sessions.
CREATE DATABASE iam DEFAULT CHARACTER SET latin1;
USE iam;
CREATE TABLE schema_version (installed_rank INT NOT NULL PRIMARY KEY, version VARCHAR(50), script VARCHAR(200) NOT NULL,
  checksum INT, installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success TINYINT(1) NOT NULL, KEY (success));
CREATE TABLE client_details (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, client_id VARCHAR(256) UNIQUE, client_name VARCHAR(256),
  jwks TEXT, created_at TIMESTAMP NULL, active TINYINT(1) NOT NULL DEFAULT 1);
CREATE TABLE client_contact (owner_id BIGINT, contact VARCHAR(256),
  CONSTRAINT FK_contact FOREIGN KEY (owner_id) REFERENCES client_details (id) ON DELETE CASCADE);
CREATE TABLE saved_user_auth (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(1024));
CREATE TABLE saved_user_auth_info (owner_id BIGINT NOT NULL, info_key VARCHAR(256) NOT NULL, info_val VARCHAR(4096),
  CONSTRAINT FK_auth_info FOREIGN KEY (owner_id) REFERENCES saved_user_auth (id) ON DELETE CASCADE);
CREATE TABLE authentication_holder (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, user_auth_id BIGINT, client_id VARCHAR(256), approved TINYINT(1),
  CONSTRAINT FK_holder_auth FOREIGN KEY (user_auth_id) REFERENCES saved_user_auth (id) ON DELETE CASCADE,
  CONSTRAINT FK_holder_client FOREIGN KEY (client_id) REFERENCES client_details (client_id) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE authentication_holder_scope (owner_id BIGINT, scope VARCHAR(2048),
  CONSTRAINT FK_holder_scope FOREIGN KEY (owner_id) REFERENCES authentication_holder (id) ON DELETE CASCADE);
CREATE TABLE refresh_token (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, token_value VARCHAR(4096), expiration TIMESTAMP NULL, client_id BIGINT,
  auth_holder_id BIGINT, KEY by_value (token_value(767)), KEY (auth_holder_id),
  CONSTRAINT FK_refresh_client FOREIGN KEY (client_id) REFERENCES client_details (id) ON DELETE SET NULL);
CREATE TABLE access_token (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, token_value VARCHAR(4096), expiration TIMESTAMP NULL, refresh_token_id BIGINT,
  client_id BIGINT, auth_holder_id BIGINT, KEY by_expiration (expiration),
  CONSTRAINT FK_token_refresh FOREIGN KEY (refresh_token_id) REFERENCES refresh_token (id) ON DELETE CASCADE,
  CONSTRAINT FK_token_client FOREIGN KEY (client_id) REFERENCES client_details (id) ON DELETE CASCADE,
  CONSTRAINT FK_token_holder FOREIGN KEY (auth_holder_id) REFERENCES authentication_holder (id) ON DELETE CASCADE);
CREATE TABLE token_scope (owner_id BIGINT NOT NULL, scope VARCHAR(2048) NOT NULL,
  CONSTRAINT FK_token_scope FOREIGN KEY (owner_id) REFERENCES access_token (id) ON DELETE CASCADE);
CREATE TABLE iam_revoked_at (jti CHAR(36) NOT NULL PRIMARY KEY, expiration TIMESTAMP NOT NULL) ROW_FORMAT=DYNAMIC;
CREATE TABLE iam_user_info (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, givenname VARCHAR(64) NOT NULL, familyname VARCHAR(64) NOT NULL, email VARCHAR(128) NOT NULL);
CREATE TABLE iam_account (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, uuid VARCHAR(36) NOT NULL UNIQUE, username VARCHAR(128) NOT NULL UNIQUE, active TINYINT(1) NOT NULL,
  creationtime DATETIME NOT NULL, lastupdatetime DATETIME NOT NULL, end_time DATETIME, user_info_id BIGINT, FOREIGN KEY (user_info_id) REFERENCES iam_user_info (id));
CREATE TABLE iam_account_labels (name VARCHAR(64) NOT NULL, prefix VARCHAR(256), val VARCHAR(64), account_id BIGINT,
  KEY by_label (prefix, name, val), FOREIGN KEY (account_id) REFERENCES iam_account (id));
CREATE TABLE iam_group (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, uuid VARCHAR(36) NOT NULL UNIQUE, name VARCHAR(255) NOT NULL UNIQUE, parent_group_id BIGINT,
  FOREIGN KEY (parent_group_id) REFERENCES iam_group (id));
CREATE TABLE iam_account_group (account_id BIGINT NOT NULL, group_id BIGINT NOT NULL, creation_time TIMESTAMP NULL, PRIMARY KEY (account_id, group_id),
  FOREIGN KEY (account_id) REFERENCES iam_account (id), FOREIGN KEY (group_id) REFERENCES iam_group (id));
CREATE TABLE iam_reg_request (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, uuid VARCHAR(36) NOT NULL UNIQUE, status VARCHAR(50), notes TEXT, account_id BIGINT,
  FOREIGN KEY (account_id) REFERENCES iam_account (id) ON DELETE CASCADE);
CREATE TABLE iam_email_notification (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, uuid VARCHAR(36) NOT NULL UNIQUE, subject VARCHAR(128), body TEXT,
  creation_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, delivery_status VARCHAR(128), last_update TIMESTAMP NULL, request_id BIGINT,
  FOREIGN KEY (request_id) REFERENCES iam_reg_request (id));
CREATE TABLE iam_aup (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(36) NOT NULL UNIQUE, text LONGTEXT, sig_validity_days BIGINT NOT NULL);
CREATE TABLE SPRING_SESSION (PRIMARY_ID CHAR(36) NOT NULL PRIMARY KEY, SESSION_ID CHAR(36) NOT NULL UNIQUE, EXPIRY_TIME BIGINT NOT NULL, PRINCIPAL_NAME VARCHAR(100),
  KEY by_expiry (EXPIRY_TIME)) ROW_FORMAT=DYNAMIC;
CREATE TABLE SPRING_SESSION_ATTRIBUTES (SESSION_PRIMARY_ID CHAR(36) NOT NULL, ATTRIBUTE_NAME VARCHAR(200) NOT NULL, ATTRIBUTE_BYTES BLOB NOT NULL,
  PRIMARY KEY (SESSION_PRIMARY_ID, ATTRIBUTE_NAME), CONSTRAINT FK_session FOREIGN KEY (SESSION_PRIMARY_ID) REFERENCES SPRING_SESSION (PRIMARY_ID) ON DELETE CASCADE) ROW_FORMAT=DYNAMIC;
-- What sites add: a column of JSON, a trigger that notes suspensions.
CREATE TABLE site_settings (name VARCHAR(64) NOT NULL PRIMARY KEY, setting JSON);
CREATE TABLE site_suspensions (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, username VARCHAR(128), at DATETIME(6) NOT NULL);
DELIMITER $$
CREATE TRIGGER site_suspended AFTER UPDATE ON iam_account FOR EACH ROW
BEGIN
  IF OLD.active AND NOT NEW.active THEN INSERT INTO site_suspensions (username, at) VALUES (NEW.username, NOW(6)); END IF;
END$$
DELIMITER ;
INSERT INTO schema_version (installed_rank, version, script, checksum, success) VALUES (1, '1', 'V1___init.sql', -5, 1), (2, '92', 'V92.sql', NULL, 1);
INSERT INTO client_details (client_id, client_name, jwks, created_at) VALUES ('stays', 'Stays', '{"keys": [{"kty": "RSA", "e": "AQAB", "n": "ü"}]}', NOW()),
  ('renamed', 'Renamed', NULL, NULL), ('deleted', 'Deleted', '', '2024-03-01 10:57:22');
INSERT INTO client_contact SELECT id, CONCAT(client_id, '@example.org') FROM client_details;
INSERT INTO client_contact SELECT * FROM client_contact;
INSERT INTO saved_user_auth (name) VALUES ('ada'), ('ada');
INSERT INTO saved_user_auth_info VALUES (1, 'sub', 'x'), (1, 'sub', 'x'), (2, 'iss', NULL);
INSERT INTO authentication_holder (user_auth_id, client_id, approved) VALUES (1, 'stays', 1), (1, 'renamed', 1), (2, 'deleted', 0);
INSERT INTO authentication_holder_scope VALUES (1, 'openid'), (2, 'openid'), (2, NULL), (3, 'openid'), (3, 'openid');
INSERT INTO refresh_token (token_value, client_id, auth_holder_id) VALUES ('r1', 1, 1), ('r3', 3, 3);
INSERT INTO access_token (token_value, expiration, refresh_token_id, client_id, auth_holder_id) VALUES (REPEAT('a', 4000), NULL, 1, 1, 1), ('b', '2037-01-01', NULL, 2, 2),
  ('c', '2037-01-01', 2, 3, 3);
INSERT INTO token_scope VALUES (1, 'openid'), (2, 'openid'), (3, 'openid'), (3, 'openid');
INSERT INTO iam_user_info (givenname, familyname, email) VALUES ('Ada', 'Lovelacé', 'ada@example.org'), ('Test', 'User', 'test@example.org');
INSERT INTO iam_account (uuid, username, active, creationtime, lastupdatetime, user_info_id) VALUES ('80e5fb8d-b7c8-451a-89ba-346ae278a66f', 'ada', 1, NOW(), NOW(), 1),
  ('73f16d93-2441-4a50-88ff-85360d78c6b5', 'suspended', 1, NOW(), NOW(), 2);
INSERT INTO iam_account_labels VALUES ('a', NULL, NULL, 1), ('a', NULL, NULL, 1), ('b', 'p', 'v', 2);
INSERT INTO iam_group (uuid, name, parent_group_id) VALUES ('c617d586-54e6-411d-8e38-649677980001', 'vo', NULL), ('c617d586-54e6-411d-8e38-649677980002', 'vo/ops', 1);
INSERT INTO iam_account_group VALUES (1, 1, NULL), (1, 2, NOW());
INSERT INTO iam_aup (name, text, sig_validity_days) VALUES ('default-aup', REPEAT('Use it well. ', 9000), 365);
INSERT INTO site_settings VALUES ('theme', '{"colour": "blue", "steps": [1, null, true]}');
