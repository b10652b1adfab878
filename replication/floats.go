package replication

import (
	"context"
	"fmt"
)

// floats finds values of FLOAT columns that a dump would change: servers print
// them with six digits (MySQL manual, "Problems with Floating-Point Values"),
// and a dump is what they print.
func (c *seedCheck) floats(ctx context.Context) error {
	if c.seed.Method == SeedClone {
		return nil
	}
	master := c.seed.Master
	columns, err := master.query(ctx, master.db, "SELECT c.table_schema AS d, c.table_name AS t, c.column_name AS c"+
		" FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)"+
		" WHERE c.data_type = 'float' AND t.table_type = 'BASE TABLE' AND c.table_schema IN ("+quoteList(c.seed.databases())+")"+
		" ORDER BY c.table_schema, c.table_name, c.ordinal_position")
	if err != nil {
		return err
	}
	var changed []string
	for _, column := range columns {
		name := quoteName(column["c"])
		found, err := master.value(ctx, master.db, fmt.Sprintf("SELECT 1 FROM %s WHERE %s+0e0 <> CONCAT(%s)+0e0 LIMIT 1", quoteTable(column["d"], column["t"]), name, name))
		if err != nil {
			return err
		}
		if found != "" {
			changed = append(changed, column["d"]+"."+column["t"]+"."+column["c"])
		}
	}
	if len(changed) > 0 {
		c.warn(Master, "float-digits", "if the digits matter, or one of these tables has no primary key, ALTER TABLE ... MODIFY them to DOUBLE on the master first; between MySQL servers --method clone copies them as they are",
			"FLOAT columns hold values of more than six digits, which are all that a dump and a comparison have; the copy is rounded: %s", listed(changed))
	}
	return nil
}
