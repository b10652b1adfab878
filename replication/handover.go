package replication

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
)

// HandOver is what a slave must know of its master: setup-master writes it,
// the administrator takes it to the slave, setup-slave reads it. The file holds
// passwords.
type HandOver struct {
	Made      time.Time // the first file for this master, to show
	Host      string    // the master's name, to show
	Version   server.Version
	ServerID  uint32
	UUID      string // MySQL's server_uuid
	Mark      string // what stands for it on MariaDB: see Facts.Mark; empty: not known
	Databases []string
	Passwords map[string]server.Password // by account

	// Slaves is how many slaves the master is to have that are made by this hand-over: the
	// last of them drops the seeding account. Zero: one.
	Slaves int

	OldSessions *facts.OldSessions // that may log in another format; nil: none
}

// handOverFile is the file's JSON.
type handOverFile struct {
	Format    int               `json:"gtunnel_hand_over"`
	Made      time.Time         `json:"made"`
	Host      string            `json:"host"`
	Family    server.Family     `json:"family"`
	Version   string            `json:"version"`
	ServerID  uint32            `json:"server_id"`
	UUID      string            `json:"server_uuid,omitempty"`
	Mark      string            `json:"server_mark,omitempty"`
	Databases []string          `json:"databases"`
	Slaves    int               `json:"slaves,omitempty"`
	Passwords map[string]string `json:"passwords"`

	OldSessions *facts.OldSessions `json:"old_sessions,omitempty"`
}

const handOverFormat = 1

// ReadHandOver reads a hand-over file. Nobody but its owner may be able to read
// it. If there is none, the error is fs.ErrNotExist.
func ReadHandOver(path string) (*HandOver, error) {
	if err := checkSecret(path); err != nil {
		return nil, err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the hand-over file: %w", err)
	}
	var file handOverFile
	if err := json.Unmarshal(content, &file); err != nil || file.Format != handOverFormat {
		return nil, &finding.Problem{
			Code: "hand-over", Text: path + " is no hand-over file of gtunnel replication setup-master", Err: err,
			Cure: "copy it from the master again, as it is",
		}
	}
	v, err := server.ParseVersion(file.Version, string(file.Family))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	h := &HandOver{
		Made: file.Made, Host: file.Host, Version: v, ServerID: file.ServerID, UUID: file.UUID, Mark: file.Mark,
		Databases: file.Databases, Passwords: map[string]server.Password{}, OldSessions: file.OldSessions,
		Slaves: file.Slaves,
	}
	for user, text := range file.Passwords {
		h.Passwords[user] = server.NewPassword(text)
	}
	return h, nil
}

// encode is the file's content.
func (h *HandOver) encode() ([]byte, error) {
	file := handOverFile{
		Format: handOverFormat, Made: h.Made.UTC().Truncate(time.Second), Host: h.Host,
		Family: h.Version.Family, Version: strings.TrimPrefix(h.Version.String(), string(h.Version.Family)+" "),
		ServerID: h.ServerID, UUID: h.UUID, Mark: h.Mark, Databases: h.Databases, Passwords: map[string]string{},
		OldSessions: h.OldSessions, Slaves: h.Slaves,
	}
	for user, password := range h.Passwords {
		file.Passwords[user] = password.Reveal()
	}
	content, err := json.MarshalIndent(file, "", "  ")
	return append(content, '\n'), err
}

// statement is the file's content, whose passwords are shown as stars.
func (h *HandOver) statement() server.Statement {
	content, err := h.encode()
	if err != nil {
		panic(err) // strings and numbers are always JSON
	}
	var secrets []string
	for _, user := range slices.Sorted(maps.Keys(h.Passwords)) {
		secrets = append(secrets, h.Passwords[user].Reveal())
	}
	return server.Text(string(content), secrets...)
}

// checkSecret refuses a file that holds secrets and can be read by others.
func checkSecret(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("read the hand-over file: %w", err)
	}
	if optionfile.IsShared(info) {
		return &finding.Problem{
			Code: "readable-secret",
			Text: fmt.Sprintf("%s holds passwords and can be read by others (mode %04o)", path, info.Mode().Perm()),
			Cure: "chmod 0600 " + path,
		}
	}
	return nil
}

// Refused names the accounts of a master on this host whose passwords are not those of
// the hand-over: somebody has changed them since. It tries them as they come out of the
// tunnel; where the server cannot be reached like that, the file is believed.
func (h *HandOver) Refused(ctx context.Context, s *server.Server, f *facts.Facts) []string {
	address := loginAddress(s, f)
	var refused []string
	for _, user := range h.Tried(s, f) {
		login := server.Login{Network: "tcp", Address: address, User: user, Password: h.Passwords[user]}
		opened, err := server.Open(ctx, finding.Master, login)
		switch {
		case err == nil:
			_ = opened.Close() // it was only tried
		case server.IsAccessDenied(err) && namesLoopback(err):
			refused = append(refused, user)
		}
	}
	return refused
}

// Tried names the accounts whose passwords Refused tries: none where it cannot. One
// that is bound may be refused for another reason, and is not tried.
func (h *HandOver) Tried(s *server.Server, f *facts.Facts) []string {
	if loginAddress(s, f) == "" {
		return nil
	}
	var users []string
	for _, user := range facts.AccountUsers {
		account := f.Account(user, server.Loopback)
		if _, known := h.Passwords[user]; known && account != nil && !account.Bound {
			users = append(users, user)
		}
	}
	return users
}

// without is the hand-over without the passwords of some accounts; nil of nil.
func (h *HandOver) without(users []string) *HandOver {
	if h == nil || len(users) == 0 {
		return h
	}
	rest := *h
	rest.Passwords = maps.Clone(h.Passwords)
	maps.DeleteFunc(rest.Passwords, func(user string, _ server.Password) bool { return slices.Contains(users, user) })
	return &rest
}

// login is that of one of the accounts at an address.
func (h *HandOver) login(user, address string) server.Login {
	return server.Login{Network: "tcp", Address: address, User: user, Password: h.Passwords[user]}
}

// OpenMaster logs in to the master at an address, as the seeding account, or as the
// monitor account once that is gone: it tries both at once. The caller closes it.
func (h *HandOver) OpenMaster(ctx context.Context, address string) (*server.Server, error) {
	var seeder, monitor *server.Server
	var monitorErr error
	err := server.AtOnce(ctx, func(ctx context.Context) (err error) {
		seeder, err = server.Open(ctx, finding.Master, h.login(facts.SeedUser, address))
		return err
	}, func(ctx context.Context) error {
		monitor, monitorErr = h.OpenMonitor(ctx, address)
		return nil
	})
	if err == nil || !server.IsAccessDenied(err) {
		if monitorErr == nil {
			_ = monitor.Close() // it was not needed
		}
		return seeder, err
	}
	err = monitorErr
	if p, ok := errors.AsType[*finding.Problem](err); ok && server.IsAccessDenied(err) && namesLoopback(err) {
		p.Cure = "the hand-over file is older than the passwords of the accounts, or of another master:" +
			" bring that master's file here again, after gtunnel replication setup-master there;" +
			" if the passwords are not known there any more, setup-master --new-passwords"
	}
	return monitor, err
}

// MayCopy reports whether a login of OpenMaster is the seeding account's.
func (h *HandOver) MayCopy(master *server.Server) bool { return master.Login.User == facts.SeedUser }

// OpenMonitor logs in to the master at an address as the monitor account. The caller
// closes it.
func (h *HandOver) OpenMonitor(ctx context.Context, address string) (*server.Server, error) {
	return server.Open(ctx, finding.Master, h.login(facts.MonitorUser, address))
}

// loginAddress is where logins come to a master as they do out of the tunnel;
// empty if they cannot from here.
func loginAddress(s *server.Server, f *facts.Facts) string {
	address := s.Login.Address
	if s.Login.Network == "unix" {
		address = net.JoinHostPort(server.Loopback, f.Variable("port"))
	}
	if host, _, err := net.SplitHostPort(address); err != nil || host != server.Loopback {
		return ""
	}
	return address
}

// namesLoopback reports whether a server that refuses a login saw it come from
// 127.0.0.1: behind an address translation, as of a container, it is another
// account that was tried.
func namesLoopback(err error) bool {
	text := err.Error()
	return strings.Contains(text, "'@'"+server.Loopback+"'") || strings.Contains(text, "'@'localhost'")
}

// noteAccounts notes in the state of a slave's setup that it has made the
// accounts of the master, or replaced their passwords, if it has.
func (h *HandOver) noteAccounts(state *journal.StateFile) error {
	if _, known := h.Passwords[facts.ReplicationUser]; !known {
		return nil
	}
	return state.NoteAccounts(h.ServerID, h.UUID)
}
