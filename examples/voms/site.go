package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// files are what the page tells a site to write, as it stands there.
//
//go:embed site
var files embed.FS

// site is two sites with a host each, and a user's machine.
type site struct {
	dir              string
	report           *report
	server1, server2 *host
	ui               *host    // the machine of the user, between the two
	alice            *account // the user
}

// vo is the virtual organisation.
const vo = "vo.domain.one"

// make makes the hosts and what is on them before the story begins: the programs, and a
// MariaDB as its package leaves it. It boots them.
func (s *site) make(ctx context.Context, gtunnel string) (err error) {
	s.alice = &account{uid: 31001, gid: 31001, home: "/home/alice"}
	for _, h := range []struct {
		host          **host
		name, address string
	}{
		{&s.ui, "ui.domain.three", "10.177.0.3"},
		{&s.server1, "server1.domain.one", "10.177.0.1"},
		{&s.server2, "server2.domain.two", "10.177.0.2"},
	} {
		if *h.host, err = newHost(ctx, s.dir, h.name, h.address); err != nil {
			return err
		}
	}
	var hosts strings.Builder
	hosts.WriteString("127.0.0.1 localhost\n")
	for _, h := range s.hosts() {
		fmt.Fprintf(&hosts, "%s %s %s\n", h.address, h.name, strings.TrimSuffix(h.prompt, "#"))
	}
	binary, err := os.ReadFile(gtunnel)
	if err != nil {
		return err
	}
	for _, h := range s.hosts() {
		if err := os.WriteFile(h.path("etc/hosts"), []byte(hosts.String()), 0o644); err != nil {
			return err
		}
		if h != s.ui {
			if err := os.WriteFile(h.path("usr/local/bin/gtunnel"), binary, 0o755); err != nil {
				return err
			}
		}
		if err := h.boot(ctx); err != nil {
			return err
		}
	}
	if err := s.ui.makeNetwork(ctx); err != nil {
		return err
	}
	for _, h := range s.servers() {
		if err := h.connect(ctx, s.ui); err != nil {
			return err
		}
	}
	return nil
}

func (s *site) servers() []*host { return []*host{s.server1, s.server2} }

func (s *site) hosts() []*host { return []*host{s.ui, s.server1, s.server2} }

// kill ends all hosts.
func (s *site) kill() {
	for _, h := range s.hosts() {
		if h != nil {
			h.kill()
		}
	}
}

// installMariaDB makes the data directories, as the package does, on both hosts at once.
func (s *site) installMariaDB(ctx context.Context) error {
	var group sync.WaitGroup
	var errs [2]error
	for i, h := range s.servers() {
		group.Go(func() {
			if errs[i] = s.write(h, "50-server.cnf", "etc/mysql/mariadb.conf.d"); errs[i] == nil {
				_, errs[i] = h.must(ctx, "echo '!includedir /etc/mysql/mariadb.conf.d/' > /etc/mysql/my.cnf && "+
					"chown mysql: /var/lib/mysql && mariadb-install-db --user=mysql --datadir=/var/lib/mysql "+
					"--auth-root-authentication-method=socket --skip-test-db")
			}
		})
	}
	group.Wait()
	return errors.Join(errs[:]...)
}

// write writes one of the page's files on a host.
func (s *site) write(h *host, name, folder string) error {
	text, err := files.ReadFile("site/" + name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(h.path(folder), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(h.path(folder), name), text, 0o644)
}

// writeFirewall writes the rules of a host, with the other host in them.
func (s *site) writeFirewall(h *host) error {
	text, err := files.ReadFile("site/nftables.conf")
	if err != nil {
		return err
	}
	rules := string(text)
	if h == s.server2 {
		rules = strings.Replace(rules, "define peer = "+s.server2.address, "define peer = "+s.server1.address, 1)
	}
	return os.WriteFile(h.path("etc/nftables.conf"), []byte(rules), 0o644)
}

// writeVOMS writes what VOMS has on a host: its configuration, its password, the files of VOMS
// Admin, and the login by which that writes.
func (s *site) writeVOMS(ctx context.Context, h *host) error {
	for _, f := range []struct{ name, folder string }{
		{"voms.conf", "etc/voms/" + vo},
		{"service.properties", "etc/voms-admin/" + vo},
		{"accounts.sql", "root"},
		{"vo.sql", "root"},
	} {
		if err := s.write(h, f.name, f.folder); err != nil {
			return err
		}
	}
	const login = "[client]\nuser = voms_admin\npassword = \"the-one-of-VOMS-Admin\"\n"
	if err := os.WriteFile(h.path("etc/voms-admin/database.cnf"), []byte(login), 0o600); err != nil {
		return err
	}
	pass := h.path("etc/voms/" + vo + "/voms.pass")
	if err := os.WriteFile(pass, []byte("the-one-in-voms.pass\n"), 0o640); err != nil {
		return err
	}
	_, err := h.must(ctx, "chown root:voms /etc/voms/"+vo+"/voms.pass && chown -R voms: /var/log/voms && "+
		"cd /etc/grid-security && install -o voms -g voms -m 0644 hostcert.pem vomscert.pem && "+
		"install -o voms -g voms -m 0400 hostkey.pem vomskey.pem")
	return err
}

// publish gives a host vomses with the servers that are there, and their LSC files.
func (s *site) publish(h *host, servers ...*host) error {
	text, err := files.ReadFile("site/vomses")
	if err != nil {
		return err
	}
	if err := s.writeVomses(h, "etc/vomses", string(text), servers...); err != nil {
		return err
	}
	for _, server := range servers {
		if err := s.write(h, server.name+".lsc", "etc/grid-security/vomsdir/"+vo); err != nil {
			return err
		}
	}
	return nil
}

// writeVomses writes the lines of some servers.
func (s *site) writeVomses(h *host, file, text string, servers ...*host) error {
	var lines strings.Builder
	for line := range strings.Lines(text) {
		for _, server := range servers {
			if strings.Contains(line, `"`+server.name+`"`) {
				lines.WriteString(line)
			}
		}
	}
	return os.WriteFile(h.path(file), []byte(lines.String()), 0o644)
}

// run runs a line as root, which must succeed, and reports it.
func (s *site) run(ctx context.Context, h *host, line string) (string, error) {
	s.report.ran(h.prompt, line)
	return h.must(ctx, line)
}

// runAll is run of several lines.
func (s *site) runAll(ctx context.Context, h *host, lines ...string) error {
	for _, line := range lines {
		if _, err := s.run(ctx, h, line); err != nil {
			return err
		}
	}
	return nil
}
