USE apelclient;
DROP PROCEDURE SummariseJobs;
DELIMITER //
CREATE PROCEDURE SummariseJobs () SQL SECURITY INVOKER BEGIN DELETE FROM Summaries; INSERT INTO Summaries SELECT SiteID, VOID, EndMonth, EndYear, SUM(WallDuration), COUNT(*) FROM JobRecords GROUP BY SiteID, VOID, EndMonth, EndYear; END//
DELIMITER ;
ALTER TABLE CloudRecords ADD SiteName VARCHAR(255) CHARACTER SET latin1 DEFAULT 'Zürich', DROP PRIMARY KEY, ADD PRIMARY KEY (SiteID, VMUUID);
ALTER PROCEDURE ReplaceJobRecord COMMENT 'replaces one';
CREATE VIEW VSites AS SELECT s.*, v.id AS vid FROM Sites s LEFT JOIN VOs v ON v.name = s.name;
