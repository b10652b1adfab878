package facts

import (
	"context"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
)

// readCreators reads which accounts may create routines or triggers and have no SUPER: a
// server with a binary log lets them do that only with log_bin_trust_function_creators
// (error 1419). The accounts of gtunnel and of the server itself create none. A login that
// sees no other account than its own sees that one.
func readCreators(ctx context.Context, s *server.Server, conn server.Execer) ([]server.Record, error) {
	const query = "SELECT DISTINCT grantee AS g FROM (" +
		"SELECT grantee, privilege_type FROM information_schema.user_privileges" +
		" UNION SELECT grantee, privilege_type FROM information_schema.schema_privileges" +
		" UNION SELECT grantee, privilege_type FROM information_schema.table_privileges) AS given" +
		" WHERE privilege_type IN ('CREATE ROUTINE', 'TRIGGER') AND grantee NOT IN" +
		" (SELECT grantee FROM information_schema.user_privileges WHERE privilege_type = 'SUPER') ORDER BY grantee"
	return s.Query(ctx, conn, query)
}

// listCreators makes the list of them of the rows.
func (f *Facts) listCreators() {
	f.Creators = []string{}
	for _, row := range f.users.creators {
		account := strings.ReplaceAll(row["g"], "'", "")
		user, _, _ := strings.Cut(account, "@")
		if !slices.Contains(AccountUsers, user) && !strings.HasPrefix(user, "mysql.") && user != "mariadb.sys" {
			f.Creators = append(f.Creators, account)
		}
	}
}
