-- File transfers: states as ENUMs, rates as FLOATs and DOUBLEs, ranges and lists of
-- partitions, copies of finished jobs in ARCHIVE, spatial and binary values.
CREATE DATABASE fts3db DEFAULT CHARACTER SET utf8mb4;
USE fts3db;
CREATE TABLE t_job (job_id CHAR(36) NOT NULL, job_state ENUM('STAGING','SUBMITTED','READY','ACTIVE','FINISHED','FAILED','') NOT NULL, job_type CHAR(1),
  vo_name VARCHAR(50), submit_time TIMESTAMP NULL, priority INT DEFAULT 3, flags SET('hop','evict','multi') NOT NULL DEFAULT 'hop,multi', internal_job_params MEDIUMTEXT,
  PRIMARY KEY (job_id), KEY idx_vo (vo_name, job_state), KEY idx_time (submit_time DESC));
CREATE TABLE t_file (file_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, job_id CHAR(36) NOT NULL, file_state ENUM('SUBMITTED','ACTIVE','FINISHED','FAILED') NOT NULL,
  source_surl VARCHAR(900), filesize BIGINT, throughput FLOAT, tx_duration DOUBLE, checksum VARBINARY(32), reason VARCHAR(2048), log_file BLOB,
  retry INT DEFAULT 0, hashed_id INT UNSIGNED DEFAULT 0, PRIMARY KEY (file_id), KEY idx_job (job_id), KEY idx_surl (source_surl(100)),
  CONSTRAINT fk_job FOREIGN KEY (job_id) REFERENCES t_job (job_id)) AUTO_INCREMENT=4294967290;
CREATE TABLE t_optimizer_evolution (datetime TIMESTAMP NULL DEFAULT NULL, source_se VARCHAR(150), dest_se VARCHAR(150), ema DOUBLE DEFAULT 0, active INT DEFAULT 2,
  throughput DOUBLE, success DOUBLE, rationale TEXT, KEY (datetime));
CREATE TABLE t_link_config (source_se VARCHAR(150) NOT NULL, dest_se VARCHAR(150) NOT NULL, symbolicname VARCHAR(150) NOT NULL, min_active INT, max_active INT,
  optimizer_mode INT NOT NULL DEFAULT 2, tcp_buffer_size INT, PRIMARY KEY (source_se, dest_se), UNIQUE KEY (symbolicname));
CREATE TABLE t_turl (source_turl VARCHAR(150), destin_turl VARCHAR(150), datetime TIMESTAMP NULL, throughput FLOAT, finish DOUBLE, fail DOUBLE, UNIQUE KEY (source_turl, destin_turl));
CREATE TABLE t_bytes (id INT NOT NULL PRIMARY KEY, tiny TINYBLOB, big LONGBLOB, bits BIT(33), fixed BINARY(6), place POINT, neg DOUBLE, d DECIMAL(20,10), y YEAR, t TIME(2));
CREATE TABLE t_file_backup (job_id CHAR(36) NOT NULL, file_state VARCHAR(20), reason VARCHAR(2048)) /*!80000 ENGINE=ARCHIVE */;
CREATE TABLE t_gone (job_id CHAR(36) NOT NULL, file_state VARCHAR(20), reason VARCHAR(2048));
CREATE TABLE t_history (id BIGINT NOT NULL, day DATE NOT NULL, vo VARCHAR(30), n INT, PRIMARY KEY (id, day)) PARTITION BY RANGE (YEAR(day)) SUBPARTITION BY HASH (TO_DAYS(day)) SUBPARTITIONS 2 (
  PARTITION old VALUES LESS THAN (2020), PARTITION now VALUES LESS THAN (2026) COMMENT = 'this; ''one''', PARTITION later VALUES LESS THAN MAXVALUE);
CREATE TABLE t_by_vo (vo VARCHAR(20) NOT NULL, n INT) PARTITION BY LIST COLUMNS (vo) (PARTITION a VALUES IN ('atlas', 'a''b'), PARTITION b VALUES IN ('cms', 'lhcb', ''));
CREATE TABLE t_hashed (id INT NOT NULL PRIMARY KEY, v VARCHAR(20)) PARTITION BY KEY (id) PARTITIONS 3;
CREATE TABLE dice (n BIGINT NOT NULL);
INSERT INTO dice VALUES (1);
INSERT INTO t_job (job_id, job_state, vo_name, submit_time, flags, internal_job_params) VALUES ('j1', 'FINISHED', 'atlas', '2020-02-29 12:00:00', 'evict', 'nostreams:1,timeout:0'),
  ('j2', '', 'cms', NULL, '', NULL), ('J3', 'FAILED', NULL, '1970-01-01 12:00:01', 'hop,evict,multi', '');
INSERT INTO t_file (job_id, file_state, source_surl, filesize, throughput, tx_duration, checksum, reason, log_file) VALUES
  ('j1', 'FINISHED', 'root://a/b c?d=e&f=%20', 9223372036854775807, 0.5, 1e308, x'deadbeef', NULL, x''), ('j1', 'FAILED', NULL, -1, 12.25, -2.5e-300, NULL, 'No such file\n\t"x" \\', x'00'),
  ('j2', 'SUBMITTED', '', NULL, NULL, 0.1, x'00', '', REPEAT(x'00ff275c0a', 4000));
INSERT INTO t_optimizer_evolution VALUES (NULL, 'a', 'b', 0.1, 2, 1.7976931348623157e308, 99.99999999999999, NULL), (NULL, 'a', 'b', 0.1, 2, 0.3, 1, ''), (NULL, 'a', 'b', 0.1, 2, 0.3, 1, '');
INSERT INTO t_link_config VALUES ('*', '*', '*-*', NULL, 2, 2, 0), ('*', 'x', 'x', 1, 2, 3, NULL), ('', '', '', 0, 0, 0, 0);
INSERT INTO t_turl VALUES (NULL, NULL, NULL, 1.5, 1, 0), (NULL, NULL, NULL, 1.5, 1, 0), ('a', NULL, NULL, 2.25, NULL, NULL);
INSERT INTO t_bytes VALUES (1, x'00', REPEAT(x'0d0a1a', 30000), b'100000000000000000000000000000001', x'00ff', ST_GeomFromText('POINT(1 -2)'), 1, -0.0000000001, 1901, '-00:00:00.01'),
  (2, '', '', b'0', '', NULL, 0, 0, 2155, '838:59:59'), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO t_file_backup VALUES ('j0', 'FINISHED', NULL), ('j0', 'FINISHED', NULL), ('j00', 'FAILED', 'why');
INSERT INTO t_history VALUES (1, '2019-12-31', 'atlas', 1), (1, '2020-01-01', NULL, NULL), (2, '2030-06-01', '', -1);
INSERT INTO t_by_vo VALUES ('atlas', 1), ('a''b', NULL), ('', 0), ('', 0);
INSERT INTO t_hashed VALUES (1, 'a'), (2, 'b'), (-3, NULL);
CREATE VIEW v_active AS SELECT j.job_id, COUNT(f.file_id) AS files, SUM(f.filesize) AS bytes FROM t_job j LEFT OUTER JOIN t_file f USING (job_id) GROUP BY j.job_id;
CREATE VIEW v_states AS SELECT 'job' AS sort, job_state AS state FROM t_job UNION ALL SELECT 'file', file_state FROM t_file;
DELIMITER $$
CREATE TRIGGER file_done AFTER DELETE ON t_file FOR EACH ROW INSERT INTO t_gone VALUES (OLD.job_id, OLD.file_state, OLD.reason)$$
CREATE PROCEDURE write_some(IN r BIGINT) MODIFIES SQL DATA SQL SECURITY INVOKER
BEGIN
  DECLARE k BIGINT DEFAULT 4294967290 + r MOD 50;
  CASE (r DIV 50) MOD 8
    WHEN 0 THEN INSERT INTO t_file (job_id, file_state, filesize, throughput, tx_duration, checksum) VALUES (ELT(1 + r MOD 3, 'j1', 'j2', 'J3'), 1 + r MOD 4, r * r, (r MOD 1000) / 8, r / 7, UNHEX(SHA2(r, 256)));
    WHEN 1 THEN UPDATE t_file SET throughput = (r MOD 512) / 4, reason = CONCAT('r', CHAR(r MOD 128 USING utf8mb4)), retry = retry + 1 WHERE file_id = k;
    WHEN 2 THEN DELETE FROM t_file WHERE file_id = k; INSERT INTO t_file_backup VALUES (k, NULL, r);
    WHEN 3 THEN INSERT INTO t_optimizer_evolution (source_se, ema, throughput) VALUES ('s', r / 3, 1 / (1 + r));
    WHEN 4 THEN DELETE FROM t_optimizer_evolution WHERE active = 2 ORDER BY source_se, ema, throughput LIMIT 1;
    WHEN 5 THEN REPLACE INTO t_history VALUES (r MOD 20, DATE_ADD('2018-01-01', INTERVAL r MOD 4000 DAY), NULL, r MOD 1000);
    WHEN 6 THEN INSERT INTO t_by_vo VALUES (ELT(1 + r MOD 4, 'atlas', 'cms', 'lhcb', ''), r MOD 5);
    ELSE UPDATE t_job SET job_state = 1 + r MOD 7, flags = r MOD 8 WHERE job_id = ELT(1 + r MOD 3, 'j1', 'j2', 'J3');
  END CASE;
END$$
CREATE EVENT clean_up ON SCHEDULE EVERY 2 SECOND STARTS '2020-01-01 00:00:00' DO DELETE FROM t_by_vo WHERE vo = '' LIMIT 3$$
DELIMITER ;
