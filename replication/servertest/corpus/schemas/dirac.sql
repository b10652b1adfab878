-- Jobs of a workload manager: upper and lower case, words that are reserved, names
-- with hyphens, MyISAM, buckets of accounting whose names come from sites.
CREATE DATABASE `JobDB` DEFAULT CHARACTER SET utf8mb3;
USE JobDB;
CREATE TABLE Jobs (JobID INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, `Status` ENUM('Received','Running','Done','Failed') NOT NULL DEFAULT 'Received', Site VARCHAR(100) NOT NULL DEFAULT 'ANY',
  Owner VARCHAR(32) NOT NULL DEFAULT 'Unknown', SubmissionTime DATETIME DEFAULT NULL, VerifiedFlag ENUM('True','False') NOT NULL DEFAULT 'False', UserPriority INT NOT NULL DEFAULT 0,
  RescheduleCounter INT NOT NULL DEFAULT 0, KEY `Status` (`Status`), KEY Site (Site), KEY `Owner` (`Owner`));
CREATE TABLE JobParameters (JobID INT UNSIGNED NOT NULL, `Name` VARCHAR(100) NOT NULL, `Value` BLOB NOT NULL, PRIMARY KEY (JobID, `Name`), FOREIGN KEY (JobID) REFERENCES Jobs (JobID));
CREATE TABLE InputData (JobID INT UNSIGNED NOT NULL, `Status` VARCHAR(32) NOT NULL DEFAULT 'AprioriGood', LFN VARCHAR(255) COLLATE utf8mb3_bin NOT NULL, PRIMARY KEY (JobID, LFN));
CREATE TABLE `ac_bucket_CERN-PROD_Job` (startTime INT UNSIGNED NOT NULL, bucketLength MEDIUMINT UNSIGNED NOT NULL, `User` SMALLINT, CPUTime DECIMAL(30,10) NOT NULL, ExecTime FLOAT, entriesInBucket DECIMAL(30,10),
  KEY startTimeIndex (startTime), KEY bucketLengthIndex (bucketLength)) ENGINE=MyISAM;
CREATE TABLE `ac_key_CERN-PROD_User` (id INT UNSIGNED NOT NULL AUTO_INCREMENT, `value` VARCHAR(64) NOT NULL, PRIMARY KEY (id), UNIQUE KEY valueindex (`value`)) ENGINE=MyISAM;
CREATE TABLE `order` (`key` VARCHAR(20) NOT NULL, `rank` INT, `system` INT, `window` TEXT, `desc` CHAR(5), PRIMARY KEY (`key`), KEY `index` (`rank`, `system`));
CREATE TABLE MasterJDLs (JobID INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, JDL LONGTEXT NOT NULL, JobRequirements BLOB NOT NULL);
CREATE TABLE dice (n BIGINT NOT NULL);
INSERT INTO dice VALUES (1);
INSERT INTO Jobs (`Status`, Site, Owner, SubmissionTime) VALUES ('Done', 'LCG.CERN.ch', 'é', '2020-01-01'), ('Failed', '', 'a', NULL), ('Received', 'ANY', 'A', '9999-12-31 23:59:59');
INSERT INTO JobParameters VALUES (1, 'CPU', x'00'), (1, 'cpu time', ''), (2, 'Größe', 'x\ny');
INSERT INTO InputData VALUES (1, '', '/lhcb/A'), (1, '', '/lhcb/a'), (2, 'Bad', '/lhcb/ä');
INSERT INTO `ac_bucket_CERN-PROD_Job` VALUES (1, 900, NULL, 1.0000000001, 0.25, 1), (1, 900, NULL, 1.0000000001, 0.25, 1), (4294967295, 16777215, -1, -99999999999999999999.9, NULL, NULL);
INSERT INTO `ac_key_CERN-PROD_User` (`value`) VALUES ('a'), ('b'), ('c d');
INSERT INTO `order` VALUES ('select', 1, 2, 'from', 'where'), ('from', NULL, NULL, NULL, ''), ('', 0, 0, '', NULL);
INSERT INTO MasterJDLs (JDL, JobRequirements) VALUES ('[ Executable = "x"; Arguments = "''a'' \\"b\\""; ]', ''), (REPEAT('jdl; -- not a comment /* nor this', 2000), x'ff');
CREATE VIEW `Jobs of Sites` AS SELECT s.Site AS `the site`, COUNT(0) AS `how many?` FROM Jobs s GROUP BY s.Site;
CREATE VIEW `group` AS SELECT o.`key`, j.JobID FROM (`order` o CROSS JOIN Jobs j) LEFT JOIN (JobParameters p JOIN InputData d ON d.JobID = p.JobID) ON p.JobID = j.JobID WHERE o.`rank` IS NOT NULL;
SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES';
DELIMITER //
CREATE FUNCTION "job's name"(id INT) RETURNS VARCHAR(50) CHARSET utf8mb3 DETERMINISTIC NO SQL COMMENT 'ANSI' RETURN 'C:\job\' || id || '"'//
SET sql_mode = DEFAULT//
CREATE TRIGGER `Jobs delete` BEFORE DELETE ON Jobs FOR EACH ROW BEGIN DELETE FROM JobParameters WHERE JobID = OLD.JobID; DELETE FROM InputData WHERE JobID = OLD.JobID; END//
CREATE PROCEDURE write_some(IN r BIGINT)
BEGIN
  DECLARE k INT DEFAULT 1 + r MOD 40;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION ROLLBACK;
  IF r MOD 13 = 0 THEN INSERT INTO `ac_bucket_CERN-PROD_Job` VALUES (r, 900, r MOD 3, r / 7, (r MOD 64) / 4, NULL); END IF;
  START TRANSACTION;
  CASE (r DIV 40) MOD 7
    WHEN 0 THEN INSERT INTO Jobs (Site, Owner, SubmissionTime) VALUES (CONCAT('S', r MOD 5), CONCAT('o', r MOD 3), FROM_UNIXTIME(1 + r MOD 2000000000));
    WHEN 1 THEN UPDATE Jobs SET `Status` = 1 + r MOD 4, RescheduleCounter = RescheduleCounter + 1 WHERE JobID BETWEEN k AND k + 3;
    WHEN 2 THEN DELETE FROM Jobs WHERE JobID = k AND k > 3;
    WHEN 3 THEN REPLACE INTO JobParameters SELECT JobID, CONCAT('p', r MOD 4), UNHEX(SHA2(r, 256)) FROM Jobs WHERE JobID >= k ORDER BY JobID LIMIT 2;
    WHEN 4 THEN INSERT INTO `order` (`key`, `rank`, `window`, `desc`) VALUES (CONCAT('k', r MOD 30), r MOD 9, `job's name`(r MOD 5), 'x') ON DUPLICATE KEY UPDATE `rank` = `rank` + 1, `window` = NULL;
    WHEN 5 THEN UPDATE MasterJDLs SET JDL = REPEAT(CONCAT('x', r MOD 10), r MOD 3000) WHERE JobID = 1 + r MOD 2;
    ELSE INSERT INTO InputData VALUES (k, IF(r MOD 2, 'Good', ''), CONCAT('/', r MOD 50));
  END CASE;
  COMMIT;
END//
DELIMITER ;
