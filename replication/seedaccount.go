package replication

import (
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/server"
)

// SeedAccount gives the statements that make the account by which databases are copied from
// a master with these facts, or give it this password if it is there, and let it do that.
// They are for one session, and log nothing.
func SeedAccount(f *facts.Facts, password server.Password, databases []string) []server.Statement {
	grants := accountGrants{databases: f.Patterns(databases)}
	var first *server.Password
	if f.Account(facts.SeedUser, server.Loopback) == nil {
		// Nobody can log in before it has its rights: what a session may do everywhere is
		// what the account could when it logged in.
		unknown := server.GeneratePassword()
		first = &unknown
	}
	return append(accountStatements(f.Version, facts.SeedUser, first, grants, f.Mark),
		f.Version.SetPassword(facts.SeedUser, server.Loopback, password))
}
