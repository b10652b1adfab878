package seed

import (
	"context"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// foreignKeys finds those of the databases that ask for rows of others. What such
// a key does itself, as ON DELETE CASCADE, is in no binary log (MySQL manual,
// "InnoDB and MySQL Replication"): the slave would keep rows that the master
// deletes. And it would not find the rows that new ones ask for (error 1452).
func (c *seedCheck) foreignKeys(ctx context.Context) error {
	master, names := c.seed.Master, c.seed.databases()
	keys, err := master.Query(ctx, master.DB,
		"SELECT constraint_schema AS d, table_name AS t, constraint_name AS k, unique_constraint_schema AS other,"+
			" referenced_table_name AS o FROM information_schema.referential_constraints"+
			" WHERE constraint_schema IN ("+server.QuoteExactly(names)+") ORDER BY 1, 2, 3")
	if err != nil {
		return err
	}
	var found, others []string
	for _, k := range keys {
		if slices.Contains(names, k["other"]) {
			continue
		}
		found = append(found, k["k"]+" of "+k["d"]+"."+k["t"]+" to "+k["other"]+"."+k["o"])
		if !slices.Contains(others, k["other"]) {
			others = append(others, k["other"])
		}
	}
	if len(found) > 0 {
		c.Problem(finding.Master, "foreign-key",
			replicateToo(names, others)+"; or drop the keys: ALTER TABLE ... DROP FOREIGN KEY ...",
			"foreign keys go to tables that are not replicated,"+
				" and what they delete or refuse would not be the same on the slave: %s", finding.Items(found))
	}
	return nil
}

// replicateToo is the cure of what leads to databases that are not replicated.
func replicateToo(databases, others []string) string {
	return "replicate these databases too: on the master gtunnel replication setup-master --databases " +
		strings.Join(slices.Concat(databases, others), ",")
}
