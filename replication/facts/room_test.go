package facts_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

func TestMain(m *testing.M) { os.Exit(pairs.Main(m)) }

// TestFactsRoom reads the free space of a server of this host by its socket, and
// finds where it reads option files. By TCP nobody knows whose disk it is.
func TestFactsRoom(t *testing.T) {
	for _, pair := range pairs.Followers {
		t.Run(pair.String(), func(t *testing.T) {
			_, s := pair.Start(t)
			for login, known := range map[server.Login]bool{
				{Network: "unix", Address: s.Socket, User: s.User}: true,
				rootLogin(t, s): false,
			} {
				opened, err := server.Open(t.Context(), finding.Slave, login)
				if err != nil {
					t.Fatal(err)
				}
				defer opened.Close()
				f, err := facts.Read(t.Context(), opened)
				if err != nil {
					t.Fatal(err)
				}
				if (f.Free != nil) != known {
					t.Errorf("by %s the free space is %v", login.Network, f.Free)
				}
				if directory := f.ConfigDirectory(); (directory == s.ConfigDir) != known || (directory == "") == known {
					t.Errorf("by %s its option files are in %q", login.Network, directory)
				}
				if f.Free == nil {
					continue
				}
				var stat unix.Statfs_t
				if err := unix.Statfs(s.DataDir(), &stat); err != nil {
					t.Fatal(err)
				}
				if free, want := float64(*f.Free), float64(stat.Bavail)*float64(stat.Bsize); free < want/2 || free > want*2 {
					t.Errorf("%.0f bytes are free, want about %.0f", free, want)
				}
			}
		})
	}
}

// rootLogin makes an administrator who logs in by TCP.
func rootLogin(t *testing.T, s *pairs.Server) server.Login {
	t.Helper()
	s.Exec(t, "DROP USER IF EXISTS room@'127.0.0.1'", "CREATE USER room@'127.0.0.1' IDENTIFIED BY 'room'",
		"GRANT ALL PRIVILEGES ON *.* TO room@'127.0.0.1'")
	t.Cleanup(func() { s.DB.Exec("DROP USER room@'127.0.0.1'") })
	return server.Login{Network: "tcp", Address: s.Address(), User: "room", Password: server.NewPassword("room")}
}
