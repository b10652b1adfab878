package failovertest

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// The accounts, on both servers.
const (
	replicationUser = facts.ReplicationUser
	monitorUser     = facts.MonitorUser

	// AppUser and AppPassword are an ordinary account at localhost with all rights on
	// Database.
	AppUser     = "app"
	AppPassword = "of the application" //nolint:gosec // of throw-away servers
)

var (
	replicationPassword = server.NewPassword("of the replication")
	monitorPassword     = server.NewPassword("of the monitor")
)

// accounts are the statements that make them, which are not in the binary log.
func accounts(v server.Version) []string {
	monitor := "BINLOG MONITOR, SLAVE MONITOR, PROCESS"
	if v.Family == server.MySQL {
		monitor = "REPLICATION CLIENT, PROCESS"
	}
	statements := []string{"SET SESSION sql_log_bin=0"}
	for _, account := range []struct {
		user     string
		password server.Password
		grants   []string
	}{
		{replicationUser, replicationPassword, []string{"REPLICATION SLAVE ON *.*"}},
		{monitorUser, monitorPassword, []string{
			monitor + " ON *.*", "SELECT, SHOW VIEW, TRIGGER, EVENT ON `" + Database + "`.*",
		}},
	} {
		name := server.QuoteAccount(account.user, server.Loopback)
		statements = append(statements, v.CreateAccount(account.user, server.Loopback, account.password).Reveal())
		for _, grant := range account.grants {
			statements = append(statements, "GRANT "+grant+" TO "+name)
		}
	}
	for _, statement := range term.MakeTable(monitorUser, server.Loopback) {
		statements = append(statements, statement.Reveal())
	}
	return statements
}

// spec is all that a process must know to be on a host.
type spec struct {
	Name, Peer   string
	Mode         term.Mode
	StateDir     string
	Socket, User string
	Port         int    // the server's end of the link
	Tunnel       string // the address of the gtunnel's end
}

// host is what the guard and the commands have.
func (s *spec) host() failover.Host {
	return failover.Host{
		Name: s.Name, Peer: s.Peer, Mode: s.Mode, Store: s.store(), Own: s.own, PeerServer: s.peerServer,
		Databases: []string{Database}, Port: s.Port, ReplicationPassword: replicationPassword, Alive: s.alive,
		Follower: s.follower,
	}
}

// newTunnel is a gtunnel that only says that it lives. It ends with the test.
func newTunnel(t testing.TB) (address string) {
	t.Helper()
	listener, port := listen(t)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte{1}) // who does not read it sees no life
			_ = conn.Close()
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// alive asks the peer's gtunnel through the link.
func (s *spec) alive(ctx context.Context) (failover.Life, error) {
	ctx, cancel := context.WithTimeout(ctx, term.PeerLimit)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Tunnel)
	if err != nil {
		return failover.Life{How: fmt.Sprint("it cannot be reached: ", err)}, nil
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return failover.Life{}, err
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return failover.Life{How: fmt.Sprint("its gtunnel does not answer: ", err)}, nil
	}
	return failover.Life{Answers: true, How: "its gtunnel answers"}, nil
}

// own logs in to the server of the host, by the socket.
func (s *spec) own(ctx context.Context) (*server.Server, error) {
	return server.Open(ctx, finding.Slave, server.Login{Network: "unix", Address: s.Socket, User: s.User})
}

// follower logs in to the peer's server through the link, as its slave does.
func (s *spec) follower(ctx context.Context) (*server.Server, error) {
	return server.Open(ctx, finding.Master, server.Login{
		Network: "tcp", Address: server.Loopback + ":" + strconv.Itoa(s.Port), User: replicationUser,
		Password: replicationPassword,
	})
}

// peerServer logs in to the peer's server through the link.
func (s *spec) peerServer(ctx context.Context) (*server.Server, error) {
	return server.Open(ctx, finding.Master, server.Login{
		Network: "tcp", Address: server.Loopback + ":" + strconv.Itoa(s.Port), User: monitorUser, Password: monitorPassword,
	})
}

// store is that of the host's Note.
func (s *spec) store() term.Store { return term.NewFile(s.StateDir, s.Name, s.Peer) }
