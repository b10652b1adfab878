package facts

import (
	"context"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// BrokenView is a view that cannot be opened, so that no dump holds it and no slave
// can make it.
type BrokenView struct {
	Database, Name string
	Error          string // why, in the server's words
	Denied         bool   // to this login only, as far as can be told
	ByRoutine      bool   // because it may not call a routine: others can open the view
}

// readBrokenViews finds those of a master. The lists of the server tell which may be:
// MySQL says it where the comment of a table stands; MariaDB lists no columns of them.
func (f *Facts) readBrokenViews(ctx context.Context, s *server.Server, conn server.Execer) error {
	if s.Role != finding.Master {
		return nil
	}
	var views, opened []server.Record
	var below map[string]bool
	err := s.Together(ctx, conn, func(ctx context.Context) (err error) {
		views, err = s.Query(ctx, conn,
			"SELECT table_schema AS d, table_name AS n, table_comment AS c FROM information_schema.tables"+
				" WHERE table_type = 'VIEW' AND "+isNoSystem("table_schema")+" ORDER BY 1, 2")
		return err
	}, func(ctx context.Context) (err error) {
		opened, err = s.Query(ctx, conn, "SELECT DISTINCT table_schema AS d, table_name AS n"+
			" FROM information_schema.columns WHERE "+isNoSystem("table_schema"))
		return err
	}, func(ctx context.Context) (err error) {
		below, err = barringViews(ctx, s, conn)
		return err
	})
	if err != nil || len(views) == 0 {
		return err
	}
	columns := make(map[string]bool, len(opened))
	for _, r := range opened {
		columns[server.QuoteTable(r["d"], r["n"])] = true
	}
	broken := make([]error, len(views))
	err = server.Each(ctx, s, conn, views, func(ctx context.Context, i int, v server.Record) error {
		name := server.QuoteTable(v["d"], v["n"])
		var ask string
		switch {
		case v["c"] != "VIEW" && v["c"] != "" || !columns[name]:
			ask = "SHOW FIELDS FROM " + name // as the tools do
		case below[name]:
			ask = "SELECT 1 FROM " + name + " LIMIT 0"
		default:
			return nil
		}
		if _, broken[i] = server.ReadRecords(ctx, conn, ask); broken[i] != nil && server.ErrorNumber(broken[i]) == 0 {
			return s.Explain(ask, broken[i])
		}
		return nil
	})
	for i, v := range views {
		if err == nil && broken[i] != nil {
			f.noteBroken(BrokenView{Database: v["d"], Name: v["n"], Error: broken[i].Error()}, broken[i])
		}
	}
	return err
}

// noteBroken notes a view that could not be opened, with the server's error.
func (f *Facts) noteBroken(v BrokenView, err error) {
	const invalid, noExecute, unknownDefiner, noShow = 1356, 1370, 1449, 1345
	switch server.ErrorNumber(err) {
	case unknownDefiner: // what the copy needs of accounts is said with all that is needed of them
		return
	case invalid: // of a function that the login may not call, too
		v.Denied = !f.hasOn(v.Database, "EXECUTE")
	default:
		v.ByRoutine = server.ErrorNumber(err) == noExecute
		v.Denied = server.IsDenied(err) || server.IsAccessDenied(err) || server.ErrorNumber(err) == noShow
	}
	f.BrokenViews = append(f.BrokenViews, v)
}

// hasOn reports whether the login has a privilege on a whole database.
func (f *Facts) hasOn(database, privilege string) bool {
	for _, g := range ParseGrants(f.Grants) {
		if g.On.Matches(database) && g.Gives(privilege) {
			return true
		}
	}
	return false
}

// barringViews are the views that are made on others that run as their definers: a
// server makes such a view only if it can open those (tried on MariaDB 10.11 and
// MySQL 9.7).
func barringViews(ctx context.Context, s *server.Server, conn server.Execer) (map[string]bool, error) {
	views, err := s.Query(ctx, conn,
		"SELECT table_schema AS d, table_name AS n, security_type AS s, view_definition AS v"+
			" FROM information_schema.views WHERE "+isNoSystem("table_schema"))
	if err != nil {
		return nil, err
	}
	above := map[string]bool{}
	for _, lower := range views {
		name := server.QuoteTable(lower["d"], lower["n"])
		for _, v := range views {
			if lower["s"] == "DEFINER" && strings.Contains(v["v"], name) {
				above[server.QuoteTable(v["d"], v["n"])] = true
			}
		}
	}
	return above, nil
}
