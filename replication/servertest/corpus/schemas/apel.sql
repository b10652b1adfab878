-- Accounting of sites: names in tables of their own, found by functions that make
-- them, and views that join them all again.
CREATE DATABASE apelclient DEFAULT CHARACTER SET utf8mb4;
USE apelclient;
CREATE TABLE Sites (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(255) NOT NULL, UNIQUE INDEX (name)) ENGINE=InnoDB;
CREATE TABLE VOs (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(255) NOT NULL, UNIQUE INDEX (name));
CREATE TABLE DNs (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(255) NOT NULL, UNIQUE INDEX (name));
CREATE TABLE JobRecords (UpdateTime TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, SiteID INT NOT NULL, VOID INT NOT NULL, GlobalUserNameID INT, LocalJobId VARCHAR(255) NOT NULL,
  WallDuration INT UNSIGNED, CpuDuration INT UNSIGNED, StartTime DATETIME NOT NULL, EndTime DATETIME NOT NULL, Infrastructure ENUM('grid','local'), ServiceLevel DECIMAL(10,3) NOT NULL,
  EndYear INT, EndMonth INT, PRIMARY KEY (SiteID, LocalJobId, EndTime), INDEX (UpdateTime), INDEX summary (SiteID, VOID, EndYear, EndMonth));
CREATE TABLE Summaries (SiteID INT NOT NULL, VOID INT NOT NULL, `Month` INT NOT NULL, `Year` INT NOT NULL, WallDuration BIGINT UNSIGNED, Jobs INT, PRIMARY KEY (SiteID, VOID, `Month`, `Year`));
CREATE TABLE CloudRecords (VMUUID VARCHAR(255) NOT NULL PRIMARY KEY, SiteID INT NOT NULL, StartTime DATETIME, Disk INT, Memory BIGINT, benchmark DECIMAL(10,3));
CREATE TABLE dice (n BIGINT NOT NULL);
INSERT INTO dice VALUES (1);
DELIMITER //
CREATE FUNCTION SiteLookup (lookup VARCHAR(255)) RETURNS INTEGER DETERMINISTIC MODIFIES SQL DATA
BEGIN
  DECLARE result INTEGER;
  SELECT id FROM Sites WHERE name = lookup INTO result;
  IF result IS NULL THEN INSERT INTO Sites (name) VALUES (lookup); SET result = LAST_INSERT_ID(); END IF;
  RETURN result;
END//
CREATE FUNCTION VOLookup (lookup VARCHAR(255)) RETURNS INTEGER DETERMINISTIC MODIFIES SQL DATA
BEGIN
  DECLARE result INTEGER;
  SELECT id FROM VOs WHERE name = lookup INTO result;
  IF result IS NULL THEN INSERT INTO VOs (name) VALUES (lookup); SET result = LAST_INSERT_ID(); END IF;
  RETURN result;
END//
CREATE PROCEDURE ReplaceJobRecord (site VARCHAR(255), vo VARCHAR(255), job VARCHAR(255), wall INT, ended DATETIME)
BEGIN
  REPLACE INTO JobRecords (SiteID, VOID, LocalJobId, WallDuration, StartTime, EndTime, Infrastructure, ServiceLevel, EndYear, EndMonth)
    VALUES (SiteLookup(site), VOLookup(vo), job, wall, ended - INTERVAL wall SECOND, ended, 'grid', wall / 3, YEAR(ended), MONTH(ended));
END//
CREATE PROCEDURE SummariseJobs ()
BEGIN
  REPLACE INTO Summaries SELECT SiteID, VOID, EndMonth, EndYear, SUM(WallDuration), COUNT(*) FROM JobRecords GROUP BY SiteID, VOID, EndMonth, EndYear ORDER BY NULL;
END//
CREATE PROCEDURE write_some (IN r BIGINT)
BEGIN
  CASE (r DIV 50) MOD 5
    WHEN 0 THEN CALL SummariseJobs();
    WHEN 1 THEN DELETE FROM JobRecords WHERE LocalJobId = CONCAT('job ', r MOD 50);
    WHEN 2 THEN UPDATE JobRecords SET CpuDuration = r MOD 1000, GlobalUserNameID = NULL WHERE LocalJobId < CONCAT('job ', r MOD 50) ORDER BY LocalJobId LIMIT 4;
    ELSE CALL ReplaceJobRecord(CONCAT('Site-', r MOD 6), CONCAT('vo.', r MOD 4), CONCAT('job ', r MOD 50), r MOD 100000, DATE_ADD('2024-01-01', INTERVAL r MOD 60000000 SECOND));
  END CASE;
END//
DELIMITER ;
CALL ReplaceJobRecord('Zürich', 'atlas', 'job 1', 10, '2024-02-29 23:59:59');
CALL ReplaceJobRecord('Zürich', 'cms', 'job 2', 20, '2024-03-01 00:00:00');
CALL SummariseJobs();
INSERT INTO CloudRecords VALUES ('vm 1', 1, '2024-01-01', NULL, 9223372036854775807, 1.001);
CREATE VIEW VJobRecords AS SELECT UpdateTime, site.name Site, vo.name VO, LocalJobId, WallDuration, StartTime, EndTime, ServiceLevel FROM JobRecords, Sites AS site, VOs AS vo WHERE SiteID = site.id AND VOID = vo.id;
CREATE VIEW VSummaries AS SELECT site.name Site, vo.name VO, `Month`, `Year`, WallDuration, Jobs FROM Summaries, Sites site, VOs vo WHERE SiteID = site.id AND VOID = vo.id;
CREATE VIEW VUsers AS SELECT d.name AS DN, s.name AS Site FROM JobRecords j INNER JOIN Sites s ON j.SiteID = s.id LEFT JOIN DNs d ON d.id = j.GlobalUserNameID;
CREATE VIEW VNatural AS SELECT * FROM Sites NATURAL JOIN VOs;
CREATE VIEW VUsing AS SELECT Sites.name AS s, Summaries.Jobs FROM Summaries STRAIGHT_JOIN Sites ON Sites.id = SiteID WHERE EXISTS (SELECT 1 FROM VOs v WHERE v.id = Summaries.VOID AND v.name <> '');
CREATE VIEW VTotals AS SELECT v.Site, (SELECT COUNT(*) FROM VUsers u WHERE u.Site = v.Site) AS users, SUM(v.Jobs) AS jobs FROM VSummaries v GROUP BY v.Site WITH ROLLUP;
CREATE VIEW VNested AS SELECT a.Site FROM VTotals a JOIN (SELECT Site FROM VUsers UNION SELECT name FROM Sites) b ON a.Site = b.Site RIGHT JOIN (Sites c, VOs d) ON c.name = b.Site;
CREATE VIEW VCase AS SELECT CASE WHEN ServiceLevel > 1.50 THEN 'hi''gh' ELSE NULL END AS level, StartTime + INTERVAL 1 DAY AS next_day, -WallDuration AS w, CAST(LocalJobId AS CHAR(10)) AS j FROM JobRecords;
