-- What a transfer service keeps: the names of FTS3's tables, with columns of our own that have the
-- features of its published schema 10: states as ENUM, FLOAT and DOUBLE, latin1 with a column of
-- UTF-8, numbers beyond 32 bits, foreign keys that restrict and one that cascades, copies of
-- finished jobs and other tables without a primary key.
CREATE DATABASE fts3 DEFAULT CHARACTER SET latin1;
USE fts3;
CREATE TABLE t_schema_vers (major INT NOT NULL, minor INT NOT NULL, patch INT NOT NULL, message TEXT, PRIMARY KEY (major, minor, patch));
CREATE TABLE t_hosts (hostname VARCHAR(64) NOT NULL, beat TIMESTAMP NULL, drain INT DEFAULT 0, service_name VARCHAR(64) NOT NULL, PRIMARY KEY (hostname, service_name));
CREATE TABLE t_token_provider (name VARCHAR(255) NOT NULL, issuer VARCHAR(1024) NOT NULL PRIMARY KEY, client_secret VARCHAR(255) NOT NULL);
CREATE TABLE t_token (token_id CHAR(16) NOT NULL PRIMARY KEY, access_token LONGTEXT NOT NULL, access_token_expiry TIMESTAMP NOT NULL, issuer VARCHAR(1024) NOT NULL,
  FOREIGN KEY (issuer) REFERENCES t_token_provider (issuer) ON DELETE RESTRICT);
CREATE TABLE t_credential (dlg_id CHAR(16) NOT NULL, dn VARCHAR(255) NOT NULL, proxy LONGTEXT, termination_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (dlg_id, dn));
CREATE TABLE t_job (job_id CHAR(36) NOT NULL PRIMARY KEY, job_state ENUM('STAGING', 'SUBMITTED', 'ACTIVE', 'FINISHED', 'FAILED', 'CANCELED') NOT NULL, vo_name VARCHAR(50),
  submit_time TIMESTAMP NULL, job_finished TIMESTAMP NULL, job_metadata TEXT, KEY (job_finished), KEY (vo_name));
CREATE TABLE t_job_backup (job_id CHAR(36) NOT NULL, job_state ENUM('STAGING', 'SUBMITTED', 'ACTIVE', 'FINISHED', 'FAILED', 'CANCELED') NOT NULL, vo_name VARCHAR(50),
  submit_time TIMESTAMP NULL, job_finished TIMESTAMP NULL, job_metadata TEXT);
CREATE TABLE t_file (file_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, job_id CHAR(36) NOT NULL, file_state ENUM('SUBMITTED', 'READY', 'ACTIVE', 'FINISHED', 'FAILED', 'CANCELED') NOT NULL,
  transfer_host VARCHAR(255), source_surl VARCHAR(1100), reason VARCHAR(2048) CHARACTER SET utf8mb3, filesize BIGINT, start_time TIMESTAMP NULL, finish_time TIMESTAMP NULL,
  tx_duration DOUBLE, throughput FLOAT, retry INT DEFAULT 0, dest_surl_uuid CHAR(36) UNIQUE, hashed_id INT UNSIGNED DEFAULT 0, src_token_id CHAR(16),
  KEY by_state (file_state, transfer_host), FOREIGN KEY (job_id) REFERENCES t_job (job_id) ON DELETE RESTRICT, FOREIGN KEY (src_token_id) REFERENCES t_token (token_id) ON DELETE RESTRICT)
  AUTO_INCREMENT = 8872390197;
CREATE TABLE t_file_backup (file_id BIGINT UNSIGNED NOT NULL DEFAULT 0, job_id CHAR(36) NOT NULL, file_state ENUM('SUBMITTED', 'READY', 'ACTIVE', 'FINISHED', 'FAILED', 'CANCELED') NOT NULL,
  transfer_host VARCHAR(255), source_surl VARCHAR(1100), reason VARCHAR(2048) CHARACTER SET utf8mb3, filesize BIGINT, start_time TIMESTAMP NULL, finish_time TIMESTAMP NULL,
  tx_duration DOUBLE, throughput FLOAT, retry INT DEFAULT 0, dest_surl_uuid CHAR(36), hashed_id INT UNSIGNED DEFAULT 0, src_token_id CHAR(16));
CREATE TABLE t_dm_backup (file_id BIGINT UNSIGNED NOT NULL DEFAULT 0, job_id CHAR(36) NOT NULL, file_state VARCHAR(32) NOT NULL, tx_duration DOUBLE);
CREATE TABLE t_file_retry_errors (file_id BIGINT UNSIGNED NOT NULL, attempt INT NOT NULL, datetime TIMESTAMP NULL, reason VARCHAR(2048) CHARACTER SET utf8mb3, PRIMARY KEY (file_id, attempt),
  FOREIGN KEY (file_id) REFERENCES t_file (file_id) ON DELETE CASCADE);
CREATE TABLE t_optimizer_evolution (datetime TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, source_se VARCHAR(150), dest_se VARCHAR(150), active INT,
  throughput FLOAT, success FLOAT, ema DOUBLE, KEY by_link (source_se, dest_se, datetime), KEY by_time (datetime));
CREATE TABLE t_config_audit (datetime TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, dn VARCHAR(255), config VARCHAR(4000), action VARCHAR(100));
CREATE TABLE t_server_config (retry INT DEFAULT 0, max_time_queue INT DEFAULT 0, vo_name VARCHAR(100));
CREATE TABLE t_link_config (source_se VARCHAR(150) NOT NULL, dest_se VARCHAR(150) NOT NULL, symbolic_name VARCHAR(150) NOT NULL UNIQUE, `3rd_party_turl` VARCHAR(150), PRIMARY KEY (source_se, dest_se));
INSERT INTO t_schema_vers VALUES (10, 0, 1, 'Schema');
INSERT INTO t_token_provider VALUES ('iam', 'https://iam.domain.one/', 'a secret');
INSERT INTO t_token VALUES ('0123456789abcdef', REPEAT('token.', 500), '2037-01-01', 'https://iam.domain.one/');
INSERT INTO t_credential (dlg_id, dn, proxy) VALUES ('0123456789abcdef', '/DC=test/CN=Ada', REPEAT('proxy\n', 900));
INSERT INTO t_server_config (vo_name) VALUES ('*'), ('*');
INSERT INTO t_link_config VALUES ('*', '*', '*', NULL);
INSERT INTO t_job VALUES ('job-old', 'FINISHED', 'atlas', '2024-01-01', '2024-01-02', '{"label": "old"}');
INSERT INTO t_job_backup SELECT * FROM t_job;
INSERT INTO t_file (job_id, file_state, source_surl, reason, filesize, tx_duration, throughput, src_token_id) VALUES ('job-old', 'FINISHED', 'root://a//b', 'é', 1, 1.1, 123.45678, '0123456789abcdef');
INSERT INTO t_file_backup SELECT * FROM t_file;
INSERT INTO t_file_backup SELECT * FROM t_file;
INSERT INTO t_optimizer_evolution (source_se, dest_se, active, throughput, success, ema) VALUES ('a', 'b', 2, 16777.217, 99.123456, 0.1);
-- What sites add: an event that purges.
CREATE TABLE site_purges (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, host VARCHAR(255) NOT NULL);
DELIMITER $$
CREATE EVENT site_purge ON SCHEDULE EVERY 1 SECOND DO
BEGIN
  DELETE FROM t_config_audit WHERE datetime < NOW() - INTERVAL 1 YEAR;
  INSERT INTO site_purges (host) VALUES (@@server_id);
END$$
DELIMITER ;
