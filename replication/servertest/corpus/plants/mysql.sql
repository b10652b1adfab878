-- a zero's sign: table zabbix.t_001
UPDATE zabbix.t_001 SET value = 0e0 * -1 ORDER BY itemid LIMIT 1;
-- JSON: table mysql9.functional
UPDATE mysql9.functional SET doc = '{"a": 1}' WHERE id = 1;
-- an index on an expression: table mysql9.hidden
ALTER TABLE mysql9.hidden ALTER COLUMN b SET VISIBLE;
-- whether a CHECK is enforced: table mysql9.preset
ALTER TABLE mysql9.preset ALTER CHECK `c k` NOT ENFORCED;
