package seed

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
)

// toolKind is what a tool is for, and where one is had.
type toolKind struct {
	names  []string      // that it goes by, the best first
	family server.Family // whose it must be; empty: anybody's
	debian string        // its package on Debian
	el     string        // its package on Enterprise Linux
}

// The packages that have the tools of a family.
const (
	mariaDebian = "mariadb-client"
	mariaEL     = "mariadb"
	mysqlDebian = "mysql-client-core (or mysql-community-client)"
	mysqlEL     = "mysql (or mysql-community-client)"
)

// dumpTool is the tool that dumps a server of a family. The other family's
// fails or, worse, dumps without coordinates.
func dumpTool(family server.Family) toolKind {
	if family == server.MariaDB {
		names := []string{"mariadb-dump", "mysqldump"}
		return toolKind{names: names, family: server.MariaDB, debian: mariaDebian, el: mariaEL}
	}
	return toolKind{names: []string{"mysqldump"}, family: server.MySQL, debian: mysqlDebian, el: mysqlEL}
}

// loadTool is the command line client that feeds a server of a family.
func loadTool(family server.Family) toolKind {
	if family == server.MariaDB {
		names := []string{"mariadb", "mysql"}
		return toolKind{names: names, family: server.MariaDB, debian: mariaDebian, el: mariaEL}
	}
	return toolKind{names: []string{"mysql"}, family: server.MySQL, debian: mysqlDebian, el: mysqlEL}
}

// tool is a program on this host.
type tool struct {
	path        string
	version     server.Version
	options     map[string]bool // the long options that its help names, without hyphens
	environment []string        // "NAME=value" that it runs with besides ours

	session string   // a statement with which its sessions begin, of a tool that takes none as an argument
	passes  []string // "database.table" that a tool which dumps passes over
}

// name is what the tool is called in messages.
func (t *tool) name() string { return filepath.Base(t.path) }

// knows gives the first of the options that the tool understands; empty if it
// understands none.
func (t *tool) knows(options ...string) string {
	for _, option := range options {
		name, _, _ := strings.Cut(option, "=")
		if t.options[strings.TrimPrefix(name, "skip-")] {
			return option
		}
	}
	return ""
}

// findTool looks for a tool in all of PATH: a host may have those of both
// families. The error is a *Problem that names the packages.
func findTool(ctx context.Context, kind toolKind) (*tool, error) {
	var others []string
	for _, name := range kind.names {
		for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
			path, err := exec.LookPath(filepath.Join(dir, name))
			if err != nil || !filepath.IsAbs(path) {
				continue
			}
			t, err := askTool(ctx, path)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err == nil && (kind.family == "" || t.version.Family == kind.family) {
				return t, nil
			}
			if err == nil && !slices.Contains(others, path) {
				others = append(others, path+" is of "+t.version.String())
			}
		}
	}
	text := fmt.Sprintf("%s is not installed on this host", kind.names[0])
	if kind.family != "" {
		text = fmt.Sprintf("%s of %s is not installed on this host", kind.names[0], kind.family)
	}
	if len(others) > 0 {
		text += ": " + finding.List(others)
	}
	return nil, finding.New("", "tool-missing",
		fmt.Sprintf("install the package %s on Debian, %s on Enterprise Linux", kind.debian, kind.el), "%s", text)
}

var (
	// toolVersion is the server's release that a tool came with: the first
	// number with three parts. What stands before it is the tool's own.
	toolVersion = regexp.MustCompile(`\d+\.\d+\.\d+`)
	toolOption  = regexp.MustCompile(`(?m)^\s+(?:-., )?--([a-z0-9][a-z0-9-]+)`)
)

// askTool asks a program for its version and its options.
func askTool(ctx context.Context, path string) (*tool, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ask := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // PATH is the administrator's
		cmd.Env = toolEnvironment()
		cmd.WaitDelay = time.Second
		out, err := cmd.Output()
		return string(out), err
	}
	said, err := ask("--version")
	if err != nil {
		return nil, fmt.Errorf("%s --version: %w", path, err)
	}
	help, err := ask("--help")
	if err != nil {
		return nil, fmt.Errorf("%s --help: %w", path, err)
	}
	version, err := server.ParseVersion(toolVersion.FindString(said), said)
	if err != nil && strings.Contains(help, "MariaDB") { // an old mariadb-binlog tells its own version alone
		version, err = server.Version{Family: server.MariaDB}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s --version: %w", path, err)
	}
	t := &tool{path: path, version: version, options: map[string]bool{}}
	for _, option := range toolOption.FindAllStringSubmatch(help, -1) {
		t.options[option[1]] = true
	}
	return t, nil
}

// toolEnvironment is this process's environment without what the tools would
// take options from: they get theirs from one option file.
func toolEnvironment() []string {
	env := []string{"LC_ALL=C"}
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "MYSQL_") || strings.HasPrefix(name, "MARIADB_") || name == "HOME" ||
			name == "LC_ALL" {
			continue
		}
		env = append(env, v)
	}
	return env
}

// optionFileName is where a tool finds its option file: the first descriptor
// that it inherits beyond the standard ones.
const optionFileName = "/dev/fd/3"

// optionFile makes the option file with which a tool logs in. It is in memory
// only, so that no password is left behind however this process ends. The
// caller closes it.
func (t *tool) optionFile(login server.Login) (*os.File, error) {
	fd, err := unix.MemfdCreate("gtunnel-options", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make an option file in memory: %w", err)
	}
	file := os.NewFile(uintptr(fd), "option file")
	err = file.Chmod(0o600) // the tools ignore a file that others can write
	if err == nil {
		_, err = file.WriteString(t.optionText(login))
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("write the option file: %w", err)
	}
	return file, nil
}

// optionText is the option file: who logs in, where, and without TLS, which
// the tunnel provides.
func (t *tool) optionText(login server.Login) string {
	var b strings.Builder
	set := func(option, value string) { fmt.Fprintf(&b, "%s=%s\n", option, optionfile.Quote(value)) }
	b.WriteString("[client]\n")
	set("user", login.User)
	set("password", login.Password.Reveal())
	if login.Network == "unix" {
		set("protocol", "socket")
		set("socket", login.Address)
	} else {
		host, port := server.SplitAddress(login.Address)
		set("protocol", "tcp")
		set("host", host)
		set("port", port)
	}
	if t.session != "" {
		set("init-command", t.session)
	}
	if t.knows("ssl-mode") != "" {
		set("ssl-mode", "DISABLED")
	} else {
		set("ssl", "0")
	}
	if t.knows("get-server-public-key") != "" {
		set("get-server-public-key", "1") // caching_sha2_password with a cold cache
	}
	if len(t.passes) > 0 { // which may be more than arguments can be
		b.WriteString("[mysqldump]\n")
		for _, table := range t.passes {
			set("ignore-table", table)
		}
	}
	return b.String()
}
