package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/tunnel"
)

// defaultMasterFile is the option file that setup-slave writes for the account
// which watches the master.
const defaultMasterFile = "/etc/gtunnel/master.cnf"

// usualSockets are where the packages of the distributions put the socket.
var usualSockets = []string{
	"/run/mysqld/mysqld.sock", "/var/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/run/mysql/mysql.sock",
	"/tmp/mysql.sock",
}

// errNoSocket is that the server of this host is nowhere to be found: mostly, it does not run.
var errNoSocket = errors.New("there is no socket at " + strings.Join(usualSockets, ", "))

// loginFlags say how to log in to the server of this host. What they leave out
// is taken from the option files that mysql reads.
type loginFlags struct {
	defaultsFile, socket, host, port, user, passwordFile string
	unsafePlaintext                                      *bool // the flag that lets a server be of another host
}

// settings are the flags.
func (l *loginFlags) settings() []config.Setting {
	return []config.Setting{
		{
			Name: "defaults-file", Group: config.GroupLogin, File: true, Target: &l.defaultsFile, Arg: "FILE",
			Preset: "/etc/my.cnf, ~/.my.cnf ...", Usage: "mysql's option file",
		},
		{
			Name: "socket", Group: config.GroupLogin, File: true, Target: &l.socket, Arg: "PATH", Preset: "the usual",
			Usage: "the server's socket",
		},
		{Name: "host", Group: config.GroupLogin, Target: &l.host, Arg: "HOST", Usage: "its address, to use TCP"},
		{
			Name: "port", Group: config.GroupLogin, Target: &l.port, Arg: "PORT", Preset: config.MySQLPort,
			Usage: "its port, to use TCP",
		},
		{
			Name: "user", Group: config.GroupLogin, Target: &l.user, Arg: "NAME", Preset: "as whom you run it",
			Usage: "the account",
		},
		{
			Name: "password-file", Group: config.GroupLogin, File: true, Target: &l.passwordFile, Arg: "FILE",
			Usage: "its password, in a file of mode 0600",
		},
	}
}

// credentials are a login with where it comes from.
type credentials struct {
	server.Login
	ask  bool   // for the password at once: an option file says so
	from string // the user and the password come from
}

// credentials finds out how to log in to the server of this host.
func (l *loginFlags) credentials(m *Main) (credentials, error) {
	if l.socket != "" && (l.port != "" || l.host != "" && l.host != "localhost") {
		return credentials{}, &usage.Error{
			Where: "--socket", Message: "leads to a server of this host without TCP, and --host and --port with it",
			Cure: "give one or the other",
		}
	}
	options, err := l.readOptions(m)
	if err != nil {
		return credentials{}, err
	}
	var c credentials
	if c.Network, c.Address, err = l.address(options); err != nil {
		return c, err
	}
	var fromUser string
	switch option := options["user"]; {
	case l.user != "":
		c.User, fromUser = l.user, "--user"
	case option.text != "":
		c.User, fromUser = option.text, option.where()
	default:
		me, err := user.Current()
		if err != nil {
			return c, &usage.Error{
				Where: "--user", Message: "is needed: this user has no name", Err: err, Cure: "give the account of the server",
			}
		}
		c.User, fromUser = me.Username, "the user who runs gtunnel"
	}
	return c, c.setPassword(fromUser, "--password-file", l.passwordFile, options["password"])
}

func (l *loginFlags) readOptions(m *Main) (optionReader, error) {
	if l.defaultsFile != "" {
		return readOptionFile("--defaults-file", l.defaultsFile)
	}
	return readOptionFiles(m.defaultOptionFiles())
}

// address is the socket, or host and port as soon as one of them is asked for.
// A port in an option file does not ask for TCP, as in the clients.
func (l *loginFlags) address(options optionReader) (network, address string, err error) {
	host, port, portFrom := l.host, l.port, "--port"
	if l.socket == "" && host == "" && port == "" {
		host = options["host"].text
	}
	if option := options["port"]; port == "" && option.text != "" {
		port, portFrom = option.text, option.where()
	}
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0) {
		return "", "", &usage.Error{
			Where: portFrom, Message: fmt.Sprintf("%q is no port", port), Cure: "write a number from 1 to 65535",
		}
	}
	switch {
	case l.port != "" && (host == "" || host == "localhost"):
		host = "127.0.0.1"
	case host == "" || host == "localhost": // which means the socket to the clients
		socket := cmp.Or(l.socket, options["socket"].text)
		if socket == "" {
			socket = findSocket()
		}
		if socket == "" {
			return "", "", &usage.Error{
				Where: "--socket", Message: "is needed", Err: errNoSocket,
				Cure: "is the server running? See SELECT @@socket; or give --host 127.0.0.1 to use TCP",
			}
		}
		return "unix", socket, nil
	}
	if a := (tunnel.Address{Network: "tcp", Host: host}); !*l.unsafePlaintext && !a.IsLoopback() {
		from := "--host"
		if l.host == "" {
			from = options["host"].where()
		}
		return "", "", &usage.Error{
			Where: from, Message: host + " is no loopback address: nothing would be encrypted",
			Cure: "run gtunnel on the server's host, with its socket or 127.0.0.1; " +
				"or give --unsafe-plaintext, if the way there is yours alone",
		}
	}
	return "tcp", net.JoinHostPort(host, cmp.Or(port, config.MySQLPort)), nil
}

func findSocket() string {
	for _, path := range usualSockets {
		if info, err := os.Stat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
			return path
		}
	}
	return ""
}

// setPassword takes the password of a file that a flag names, else of an option
// file, else none.
func (c *credentials) setPassword(fromUser, flag, file string, option optionValue) error {
	from := "there is no password: give it with " + flag
	switch {
	case file != "":
		password, err := readPassword(flag, file)
		if err != nil {
			return err
		}
		c.Password, from = password, "the password from "+file
	case option.given():
		c.Password, c.ask, from = server.NewPassword(option.text), option.bare, "the password from "+option.where()
	}
	c.from = fmt.Sprintf("the user %s is from %s, and %s", c.User, fromUser, from)
	return nil
}

// masterFlags say how to log in to the master, which is reached on the slave's
// host through the plain end of the tunnel.
type masterFlags struct {
	address                          tunnel.Address
	defaultsFile, user, passwordFile string
	unsafePlaintext                  bool
}

// settings are the flags.
func (f *masterFlags) settings() []config.Setting {
	return []config.Setting{
		{
			Name: "master", Group: config.GroupMaster, Target: &f.address, Arg: "ADDRESS", Preset: config.DefaultClientAccept,
			Port: config.DefaultPort, Usage: "the tunnel's end on this host",
		},
		{
			Name: "master-defaults-file", Group: config.GroupMaster, File: true, Target: &f.defaultsFile, Arg: "FILE",
			Preset: defaultMasterFile, Usage: "mysql's option file",
		},
		{
			Name: "master-user", Group: config.GroupMaster, Target: &f.user, Arg: "NAME", Preset: "of that file",
			Usage: "the account",
		},
		{
			Name: "master-password-file", Group: config.GroupMaster, File: true, Target: &f.passwordFile, Arg: "FILE",
			Usage: "its password, in a file of mode 0600",
		},
		{
			Name: "unsafe-plaintext", Group: config.GroupMaster, Target: &f.unsafePlaintext,
			Usage: "let --host or --master be elsewhere, unencrypted",
		},
	}
}

// credentials finds out how to log in to the master. What the option file says
// of host and port counts if --master is not given.
func (f *masterFlags) credentials() (credentials, error) {
	file := cmp.Or(f.defaultsFile, defaultMasterFile)
	options, err := optionReader{}, error(nil)
	if _, missing := os.Stat(file); f.defaultsFile != "" || !errors.Is(missing, fs.ErrNotExist) {
		options, err = readOptionFile("--master-defaults-file", file)
	}
	if err != nil {
		return credentials{}, err
	}
	var c credentials
	if c.Network, c.Address, err = f.plainEnd(options); err != nil {
		return c, err
	}
	fromUser, password := "--master-user", options["password"]
	switch option := options["user"]; {
	case f.user != "":
		c.User = f.user
		if option.text != "" && option.text != f.user {
			password = optionValue{} // it is of that account
		}
	case option.text != "":
		c.User, fromUser = option.text, option.where()
	default:
		return c, &usage.Error{
			Where: "--master-user", Message: "is needed: " + file + " does not name the account of the master",
			Cure: "on the host of the slave gtunnel replication setup-slave writes that file; " +
				"or give --master-user and --master-password-file",
		}
	}
	return c, c.setPassword(fromUser, "--master-password-file", f.passwordFile, password)
}

// plainEnd is the network and address of the tunnel's end. The name localhost
// would be a socket, or ::1: it is 127.0.0.1 here as everywhere.
func (f *masterFlags) plainEnd(options optionReader) (network, address string, err error) {
	a, from := f.address, "--master"
	if a == (tunnel.Address{}) {
		a = config.DefaultAccept(tunnel.Client)
		if host, port := options["host"], options["port"]; host.given() || port.given() {
			given := cmp.Or(host, port)
			from = given.where()
			a, err = tunnel.ParseAddress(net.JoinHostPort(cmp.Or(host.text, a.Host), cmp.Or(port.text, a.Port)))
			if err != nil {
				return "", "", &usage.Error{Where: from, Err: err}
			}
		}
	}
	if !f.unsafePlaintext && a.Host != "" && !a.IsLoopback() {
		return "", "", &usage.Error{
			Where: from, Message: a.String() + " is no loopback address: nothing would be encrypted",
			Cure: "give the plain end of the tunnel, such as " + config.DefaultClientAccept + ", or --unsafe-plaintext",
		}
	}
	if a.Network == "unix" {
		return a.Network, a.Path, nil
	}
	if a.Host == "" || strings.EqualFold(a.Host, "localhost") {
		a.Host = "127.0.0.1"
	}
	return a.Network, net.JoinHostPort(a.Host, a.Port), nil
}

// openLocal logs in to the server of this host, which has a role. The caller
// closes it.
func (m *Main) openLocal(ctx context.Context, role finding.Role, flags *loginFlags) (*server.Server, error) {
	c, err := flags.credentials(m)
	if err != nil {
		return nil, err
	}
	s, err := m.open(ctx, role, c)
	if p, ok := errors.AsType[*finding.Problem](err); ok && p.Code == "connect" { // whatever its role: it is here
		p.Cure = "is the server running, and is its address right?"
	}
	return s, err
}

// openMaster logs in to the master through the tunnel. The caller closes it.
func (m *Main) openMaster(ctx context.Context, flags *masterFlags) (*server.Server, error) {
	c, err := flags.credentials()
	if err != nil {
		return nil, err
	}
	return m.open(ctx, finding.Master, c)
}

// open logs in, and asks for the password if there is none, the server wants
// one, and somebody is there to type it.
func (m *Main) open(ctx context.Context, role finding.Role, c credentials) (*server.Server, error) {
	if !c.ask {
		s, err := server.Open(ctx, role, c.Login)
		if err == nil {
			return s, nil
		}
		if !c.Password.IsEmpty() || !server.IsAccessDenied(err) || terminal.OpenKeyboard(m.Stdin) == nil {
			return nil, c.explain(role, err)
		}
	}
	var err error
	if c.Password, err = m.askPassword(ctx, fmt.Sprintf("Password of %s: ", c.Login)); err != nil {
		return nil, err
	}
	opened, err := server.Open(ctx, role, c.Login)
	if err != nil {
		return nil, c.explain(role, err)
	}
	return opened, nil
}

// askPassword asks for a password, which is not shown as it is typed, until
// ctx ends.
func (m *Main) askPassword(ctx context.Context, question string) (server.Password, error) {
	keyboard := terminal.OpenKeyboard(m.Stdin)
	if keyboard == nil {
		return server.Password{}, &usage.Error{
			Message: "a password is needed, and the standard input is no terminal to ask at",
			Cure:    "write it into a file of mode 0600, and give that with --password-file or in an option file",
		}
	}
	typed, err := keyboard.Password(ctx, m.Stderr, question)
	if err != nil {
		return server.Password{}, err
	}
	m.asked = true
	return server.NewPassword(typed), nil
}

// explain says of a refused login where it came from. The root of a distribution may log
// in by the socket of its host only.
func (c *credentials) explain(role finding.Role, err error) error {
	const socketOnly = 1698
	switch {
	case !server.IsAccessDenied(err):
		return err
	case c.Network == "tcp" && (c.User == "root" || server.ErrorNumber(err) == socketOnly):
		hint := c.from + "; an account such as root may log in by the socket only, on its own host: " +
			"make another, there, by " + makeAdministrator
		if role == finding.Master {
			hint += "; and give it here with --master-user " + administrator + " --master-password-file FILE"
		}
		return usage.WithHint(err, hint)
	}
	return usage.WithHint(err, c.from+"; "+usage.HintOf(err))
}

// administrator is an account that may set a server up, for the time of that.
const (
	administrator     = "gtunnel_admin"
	makeAdministrator = "SET SESSION sql_log_bin=0; " +
		"CREATE USER '" + administrator + "'@'127.0.0.1' IDENTIFIED BY 'PASSWORD'; " +
		"GRANT ALL PRIVILEGES ON *.* TO '" + administrator + "'@'127.0.0.1' WITH GRANT OPTION"
)
