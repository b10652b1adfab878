package facts

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
)

// Follower is a slave that reads a server's binary log at this moment.
type Follower struct {
	Connection uint64
	User, Host string
	Since      time.Duration // it has been connected
	State      string
	HasAll     bool // all that the binary log has was sent
}

// Registered is a slave that has told a master who it is, and is connected.
type Registered struct {
	ServerID uint32
	Host     string // its report_host; empty: it does not say
	UUID     string // MySQL only
}

// RegisteredSlaves reads the slaves that are registered with a master.
func RegisteredSlaves(ctx context.Context, s *server.Server, on server.Execer) ([]Registered, error) {
	show := "SHOW " + s.Version.Word("SLAVE HOSTS", "REPLICAS")
	rows, err := server.ReadRecords(ctx, on, show)
	if err != nil {
		return nil, s.Explain(show, err)
	}
	var list []Registered
	for _, r := range rows {
		id, err := strconv.ParseUint(r["server_id"], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%s: server_id %q: %w", show, r["server_id"], err)
		}
		host := r["host"]
		if host == server.Loopback || host == "localhost" { // MariaDB's word for a slave that does not say it
			host = ""
		}
		list = append(list, Registered{ServerID: uint32(id), Host: host, UUID: r["slave_uuid"] + r["replica_uuid"]})
	}
	return list, nil
}

// ReadAsMaster reads what makes a server a master besides its variables: its accounts
// for slaves, its binary log, and who reads that, as far as the login may see it.
func (f *Facts) ReadAsMaster(ctx context.Context, s *server.Server, conn server.Execer) error {
	return f.readTogether(ctx, s, conn, f.readAccounts, f.readMaster, f.readFollowers)
}

// readFollowers reads which slaves read the binary log.
func (f *Facts) readFollowers(ctx context.Context, s *server.Server, conn server.Execer) error {
	processes, err := s.Processes(ctx, conn)
	f.Followers = followers(processes)
	return err
}

// followers finds the slaves in a list of processes.
func followers(processes []server.Process) []Follower {
	var list []Follower
	for _, p := range processes {
		if !p.ReadsBinaryLog() {
			continue
		}
		host, _ := server.SplitAddress(p.Host)
		list = append(list, Follower{
			Connection: p.ID, User: p.User, Host: host, Since: p.Time, State: p.State,
			HasAll: strings.Contains(p.State, "has sent all"),
		})
	}
	return list
}

// IsMaster reports whether slaves follow the server, or setup-master has made
// accounts for them there.
func (f *Facts) IsMaster() bool {
	return len(f.Followers) > 0 || len(f.Slaves) > 0 || f.SeedMade ||
		slices.ContainsFunc(AccountUsers, func(user string) bool { return f.Account(user, server.Loopback) != nil })
}
