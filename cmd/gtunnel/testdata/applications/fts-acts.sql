-- What the service does, again and again: each paragraph is a transaction; :n is a new number.
-- A job.
INSERT INTO t_job VALUES (CONCAT('job-', :n), 'SUBMITTED', 'atlas', UTC_TIMESTAMP(), NULL, CONCAT('{"label": ', :n, '}'));
INSERT INTO t_file (job_id, file_state, source_surl, filesize, dest_surl_uuid, hashed_id, src_token_id) VALUES
  (CONCAT('job-', :n), 'SUBMITTED', CONCAT('root://a//', :n), :n * :n, UUID(), :n, '0123456789abcdef'), (CONCAT('job-', :n), 'SUBMITTED', NULL, -1, NULL, 65535, NULL);

-- Transfers begin.
UPDATE t_file SET file_state = 'ACTIVE', start_time = UTC_TIMESTAMP(), transfer_host = 'fts1' WHERE file_state = 'SUBMITTED' ORDER BY file_id LIMIT 3;

-- Transfers end, one of them not well.
UPDATE t_file SET file_state = 'FINISHED', finish_time = UTC_TIMESTAMP(), tx_duration = RAND() * 1e6, throughput = RAND() * 1e4, dest_surl_uuid = NULL WHERE file_state = 'ACTIVE' ORDER BY file_id LIMIT 2;
INSERT IGNORE INTO t_file_retry_errors SELECT file_id, retry + 1, UTC_TIMESTAMP(), CONCAT('é ', :n) FROM t_file WHERE file_state = 'ACTIVE' ORDER BY file_id LIMIT 1;
UPDATE t_file SET retry = retry + 1, reason = CONCAT('é ', :n) WHERE file_state = 'ACTIVE' ORDER BY file_id LIMIT 1;

-- A heartbeat, and the optimizer.
INSERT INTO t_hosts (hostname, beat, service_name) VALUES ('fts1', UTC_TIMESTAMP(), 'fts_server') ON DUPLICATE KEY UPDATE beat = UTC_TIMESTAMP();
INSERT INTO t_optimizer_evolution (source_se, dest_se, active, throughput, success, ema) VALUES ('a', 'b', :n MOD 9, RAND() * 1e4, RAND() * 100, RAND());
UPDATE t_optimizer_evolution SET active = active + 1 WHERE source_se = 'a' AND active = 2 LIMIT 1;
DELETE FROM t_optimizer_evolution WHERE active > 7 LIMIT 2;

-- The cleaner.
SET @job = (SELECT MIN(job_id) FROM t_job j WHERE NOT EXISTS (SELECT * FROM t_file f WHERE f.job_id = j.job_id AND f.file_state <> 'FINISHED'));
INSERT INTO t_job_backup SELECT * FROM t_job WHERE job_id = @job;
INSERT INTO t_file_backup SELECT * FROM t_file WHERE job_id = @job;
DELETE FROM t_file WHERE job_id = @job;
DELETE FROM t_job WHERE job_id = @job;
DELETE FROM t_file_backup WHERE retry > 0 LIMIT 1;
