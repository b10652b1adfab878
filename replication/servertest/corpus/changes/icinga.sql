SET sql_mode = '';
USE icinga;
ALTER TABLE icinga_hoststatus ADD COLUMN acknowledged DATETIME NOT NULL DEFAULT '0000-00-00 00:00:00', ADD INDEX acked (acknowledged);
ALTER TABLE icinga_objects DROP INDEX objecttype_id, ADD UNIQUE KEY by_id (objecttype_id, object_id), COMMENT = '';
