package pairs

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// OddPassword has all that the syntax of option files, SQL and shells gives a
// meaning to. It is AsSeeder's.
const OddPassword = `p "a'ss\w#o;r=d$x` + "`" + `\t !`

// AsSeeder logs in by TCP: to a master with the privileges of the seeding
// account, to a slave with all.
func (s *Server) AsSeeder(t *testing.T, role finding.Role) (*server.Server, *facts.Facts) {
	t.Helper()
	privileges := "SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE, RELOAD, LOCK TABLES, PROCESS, "
	switch {
	case role == finding.Slave:
		privileges = "ALL"
	case s.Kind.IsMySQL():
		privileges += "REPLICATION CLIENT, BACKUP_ADMIN"
	default:
		privileges += "BINLOG MONITOR"
	}
	return s.login(t, role, "seed er", OddPassword, privileges)
}

// The account of AsAdministrator.
const (
	Administrator         = "dba"
	AdministratorPassword = "all of it"
)

// AsAdministrator logs in by TCP with all rights.
func (s *Server) AsAdministrator(t *testing.T, role finding.Role) (*server.Server, *facts.Facts) {
	t.Helper()
	return s.login(t, role, Administrator, AdministratorPassword, "ALL")
}

// login makes an account anew and logs in as it, until the test ends.
func (s *Server) login(
	t *testing.T, role finding.Role, user, password, privileges string,
) (*server.Server, *facts.Facts) {
	t.Helper()
	account := "'" + user + "'@'127.0.0.1'"
	// A slave that follows has an account of this name of its own.
	s.ExecTogether(t, "SET sql_log_bin=0", "DROP USER IF EXISTS "+account,
		"CREATE USER "+account+" IDENTIFIED BY '"+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(password)+"'",
		"GRANT "+privileges+" ON *.* TO "+account)
	opened := s.Login(t, role, server.Login{
		Network: "tcp", Address: s.Address(), User: user, Password: server.NewPassword(password),
	})
	read, err := facts.Read(t.Context(), opened)
	if err != nil {
		t.Fatal(err)
	}
	return opened, read
}

// AsRoot logs in by the socket, until the test ends.
func (s *Server) AsRoot(t *testing.T, role finding.Role) *server.Server {
	t.Helper()
	return s.Login(t, role, server.Login{Network: "unix", Address: s.Socket, User: s.User})
}

// Login logs in, until the test ends.
func (s *Server) Login(t *testing.T, role finding.Role, login server.Login) *server.Server {
	t.Helper()
	opened, err := server.Open(t.Context(), role, login)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() }) // the server may have ended
	return opened
}
