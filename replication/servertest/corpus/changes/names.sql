USE `groups %_ & näme`;
ALTER TABLE `tick``tock` ADD COLUMN `a``b` VARCHAR(10) DEFAULT '`', RENAME TO `tick.tock`;
ALTER TABLE ` lead` CHANGE `select` `se.lect` INT COMMENT '"';
CREATE OR REPLACE VIEW `v``w` AS SELECT `id` AS `-- x` FROM `tick.tock`;
DROP TABLE `#sql-x`;
