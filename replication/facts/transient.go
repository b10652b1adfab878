package facts

import (
	"context"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
)

// ReadTransient finds which settings of the slave its next restart would lose:
// set in the running server, and persisted otherwise, or neither persisted nor in
// gtunnel's own option file. Where the server cannot tell, or that file's place
// is not known, nothing is said.
func (f *Facts) ReadTransient(ctx context.Context, s *server.Server, on server.Execer) error {
	var query string
	switch v := s.Version; {
	case v.AtLeast(server.MariaDB, 10, 5, 0):
		query = "SELECT LOWER(variable_name) AS name FROM information_schema.system_variables" +
			" WHERE global_value_origin = 'SQL' AND variable_name IN ('read_only', 'replicate_wild_do_table')"
	case v.AtLeast(server.MySQL, 8, 0, 0):
		query = "SELECT variable_name AS name FROM performance_schema.variables_info" +
			" WHERE variable_source = 'DYNAMIC' AND variable_name IN ('read_only', 'super_read_only')" +
			" AND variable_name NOT IN (SELECT variable_name FROM performance_schema.persisted_variables)" +
			" UNION SELECT DISTINCT LOWER(filter_name) FROM performance_schema.replication_applier_global_filters" +
			" WHERE filter_name = 'REPLICATE_WILD_DO_TABLE' AND configured_by LIKE 'CHANGE\\_REPLICATION%'" +
			" UNION SELECT DISTINCT LOWER(filter_name) FROM performance_schema.replication_applier_filters" +
			" WHERE channel_name = '' AND filter_name = 'REPLICATE_WILD_DO_TABLE'" +
			" AND configured_by LIKE 'CHANGE\\_REPLICATION%'"
	default:
		return nil
	}
	for _, name := range []string{"read_only", "super_read_only"} {
		if f.IsPersistedOtherwise(name, "ON") && f.On(name) {
			f.Transient = append(f.Transient, name)
		}
	}
	rows, err := server.ReadRecords(ctx, on, query)
	if err != nil && !server.IsDenied(err) {
		return s.Explain("read where settings come from", err)
	}
	if f.DropIn == nil {
		return nil
	}
	for _, row := range rows {
		value, isVariable := f.Variables[row["name"]]
		if isSet := !isVariable || value != "" && !strings.EqualFold(value, "OFF"); isSet && !f.DropIn.Has(row["name"]) {
			f.Transient = append(f.Transient, row["name"])
		}
	}
	return nil
}
