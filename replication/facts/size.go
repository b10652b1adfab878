package facts

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	"github.com/gtunnel/gtunnel/replication/server"
)

// fewPages is the size of an InnoDB file, in bytes, up to which it tells less of its table
// than the server's estimate does, as some pages of it are not used.
const fewPages = 1 << 20

// FileBytes is the size of the files that tables of some databases have alone, but for small
// ones, of InnoDB; of all databases, if one has a name that is another one as a file's. The
// estimates of information_schema.tables are not right before the server has looked at tables
// that were filled; files are. The login needs PROCESS.
func FileBytes(ctx context.Context, s *server.Server, databases []string) (uint64, error) {
	table := "innodb_sys_tablespaces"
	if s.Version.AtLeast(server.MySQL, 8, 0, 0) {
		table = "innodb_tablespaces"
	}
	condition := fmt.Sprintf("file_size > %d", fewPages)
	if !slices.ContainsFunc(databases, func(name string) bool { return !plainName.MatchString(name) }) {
		condition += " AND SUBSTRING_INDEX(name, '/', 1) IN (" + server.QuoteList(databases) + ")"
	}
	bytes, err := s.Value(ctx, s.DB, "SELECT COALESCE(SUM(file_size), 0) AS bytes FROM information_schema."+table+
		" WHERE "+condition)
	if err != nil {
		return 0, err
	}
	return server.Record{"bytes": bytes}.Number("bytes"), nil
}

// plainName is a name that is the same as a file's.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_]*$`)
