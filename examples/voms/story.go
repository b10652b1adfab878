package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// The groups of which Alice becomes a member, one after the other.
const (
	root       = "/" + vo
	ops        = root + "/ops"
	production = root + "/production"
)

// tell runs the steps one after the other.
func (s *site) tell(ctx context.Context) error {
	s.report.text(
		"A VOMS server at two sites: "+s.server1.name+" is the master, "+s.server2.name+" its slave.",
		"What the page README.md beside this program tells a site to do is run, each command as it stands.",
		"")
	for _, step := range []struct {
		title string
		do    func(context.Context) error
	}{
		{"A grid CA with Globus's tools, and its certificates", s.makeCA},
		{"server1: a VOMS server on its MariaDB, the only one of the VO", s.startFirst},
		{"server2: MariaDB; on both: firewalls and gtunnel", s.startTunnels},
		{"gtunnel replication: setup-master and setup-slave, and the guards", s.setUp},
		{"server2: a VOMS server on the slave's MariaDB; both in vomses", s.startSecond},
		{"A membership is added on the master", s.addOnMaster},
		{"server1 is lost, with all that runs there", s.loseMaster},
		{"server2 becomes the master", s.promote},
		{"server1 comes back, as it was", s.bringBack},
		{"server1 rejoins", s.rejoin},
	} {
		s.report.begin(step.title)
		if err := step.do(ctx); err != nil {
			if ctx.Err() != nil {
				// Whatever broke, broke because of the interruption.
				return ctx.Err()
			}
			return fmt.Errorf("step %d failed: %w", s.report.steps, err)
		}
		s.report.end()
	}
	s.report.text("",
		"Alice changed nothing, and got a proxy whenever she asked. Both hosts have the same members,",
		"one of them can be written to, and it is "+s.server2.name+".")
	return nil
}

// startFirst makes the VO and its VOMS server, as many sites have it.
func (s *site) startFirst(ctx context.Context) error {
	if err := s.installMariaDB(ctx); err != nil {
		return err
	}
	h := s.server1
	if err := s.writeVOMS(ctx, h); err != nil {
		return err
	}
	if err := s.runAll(ctx, h,
		"systemctl enable --now mariadb",
		"mariadb -e 'CREATE DATABASE voms'",
		"mariadb voms < /usr/share/voms/voms-mysql.data",
		"mariadb voms < /root/vo.sql",
		"mariadb < /root/accounts.sql",
		"systemctl enable --now voms@vo.domain.one",
	); err != nil {
		return err
	}
	if err := s.publish(s.ui, h); err != nil {
		return err
	}
	return s.proxyBy(ctx, h, root)
}

// startTunnels loads the firewalls and starts gtunnel on both hosts.
func (s *site) startTunnels(ctx context.Context) error {
	if err := s.writeVOMS(ctx, s.server2); err != nil {
		return err
	}
	if err := s.runAll(ctx, s.server2, "systemctl enable --now mariadb", "mariadb < /root/accounts.sql"); err != nil {
		return err
	}
	for _, h := range s.servers() {
		if err := s.writeFirewall(h); err != nil {
			return err
		}
		if err := s.write(h, "gtunnel.toml", "etc/gtunnel"); err != nil {
			return err
		}
		if err := s.runAll(ctx, h, "nft -c -f /etc/nftables.conf", "systemctl enable --now nftables",
			"gtunnel run --check", "systemctl enable --now gtunnel"); err != nil {
			return err
		}
	}
	for _, h := range s.servers() {
		other := s.server1
		if h == s.server1 {
			other = s.server2
		}
		out, err := s.run(ctx, h, "gtunnel certs check --connect "+other.name+":3307")
		if err != nil {
			return err
		}
		s.report.printed(last(out, 1)...)
	}
	return s.tryPorts(ctx)
}

// tryPorts tries, from the user's machine, what the firewalls let pass.
func (s *site) tryPorts(ctx context.Context) error {
	open := func(port string) bool {
		_, err := s.ui.try(ctx, "timeout 60 bash -c '</dev/tcp/server1.domain.one/"+port+"'")
		return err == nil
	}
	if !open("15001") || open("3306") || open("3307") {
		return errors.New("the firewall of server1 does not let 15001 pass, or does 3306 or 3307")
	}
	s.report.checked("a user reaches 15001 on server1, and neither 3306 nor 3307")
	return nil
}

// setUp sets the replication up as a pair.
func (s *site) setUp(ctx context.Context) error {
	const handOver = "/var/lib/gtunnel/hand-over.json"
	if err := s.runWithRestart(ctx, s.server1, "gtunnel replication setup-master --databases voms"); err != nil {
		return err
	}
	s.report.ran(s.server1.prompt, "ssh root@server2.domain.two install -d -m 0700 /var/lib/gtunnel")
	s.report.ran(s.server1.prompt, "scp -p "+handOver+" root@server2.domain.two:/var/lib/gtunnel/")
	s.report.printed("(here without ssh and scp: this program copies the file)")
	if _, err := s.server2.must(ctx, "install -d -m 0700 /var/lib/gtunnel"); err != nil {
		return err
	}
	secrets, err := os.ReadFile(s.server1.path(handOver))
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.server2.path(handOver), secrets, 0o600); err != nil {
		return err
	}
	if err := s.runWithRestart(ctx, s.server2, "gtunnel replication setup-slave"); err != nil {
		return err
	}
	for _, h := range s.servers() {
		if err := s.runAll(ctx, h, "rm "+handOver, "systemctl enable --now gtunnel-guard"); err != nil {
			return err
		}
	}
	return s.waitReady(ctx, s.server2)
}

// runWithRestart runs a command of the setup, and again after a restart of MariaDB if it asks for
// one.
func (s *site) runWithRestart(ctx context.Context, h *host, line string) error {
	s.report.ran(h.prompt, line+" --yes")
	out, err := h.must(ctx, line+" --yes")
	if err != nil && strings.Contains(out, "the server must be restarted") {
		s.report.printed("the server must be restarted")
		if err := s.runAll(ctx, h, "systemctl restart mariadb"); err != nil {
			return err
		}
		out, err = s.run(ctx, h, line+" --yes")
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		if strings.Contains(line, "tables equal at") {
			s.report.printed(strings.TrimSpace(line))
		}
	}
	return nil
}

// waitReady waits until promote, switchover and rejoin are ready on a host.
func (s *site) waitReady(ctx context.Context, h *host) error {
	const line = "gtunnel replication check"
	var out string
	if err := until(ctx, line, func(ctx context.Context) (err error) {
		out, err = h.must(ctx, line)
		return err
	}); err != nil {
		return err
	}
	s.report.ran(h.prompt, line)
	s.report.printed(containing(out, "warning  ")...)
	s.report.printed(last(out, 1)...)
	return nil
}

// startSecond starts VOMS on the slave, and makes it known.
func (s *site) startSecond(ctx context.Context) error {
	h := s.server2
	if err := s.runAll(ctx, h,
		"sed -i 's/enabled = true/enabled = false/; s/readonly = false/readonly = true/' "+properties,
		"systemctl enable --now voms@vo.domain.one"); err != nil {
		return err
	}
	for _, h := range s.hosts() {
		if err := s.publish(h, s.server1, s.server2); err != nil {
			return err
		}
	}
	for _, server := range s.servers() {
		if err := s.proxyBy(ctx, server, root); err != nil {
			return err
		}
	}
	if err := s.checkVOMS(ctx, s.server2); err != nil {
		return err
	}
	return s.mustRefuse(ctx, s.server2)
}

// checkVOMS waits until a host has nothing to say against the VOMS servers of both.
func (s *site) checkVOMS(ctx context.Context, h *host) error {
	var out string
	if err := until(ctx, checkVOMS, func(ctx context.Context) (err error) {
		out, err = h.must(ctx, checkVOMS)
		return err
	}); err != nil {
		return err
	}
	s.report.ran(h.prompt, checkVOMS)
	s.report.printed(containing(out, "VO "+vo)...)
	s.report.printed(last(out, 1)...)
	return nil
}

const checkVOMS = "gtunnel replication check --voms"

// properties are those of VOMS Admin.
const properties = "/etc/voms-admin/vo.domain.one/service.properties"

// addOnMaster adds a membership, and sees it in a proxy of the slave's VOMS server.
func (s *site) addOnMaster(ctx context.Context) error {
	if err := s.addMembership(ctx, s.server1, "ops"); err != nil {
		return err
	}
	if err := s.proxyBy(ctx, s.server2, root, ops); err != nil {
		return err
	}
	s.report.checked("what was added on server1 is in a proxy of server2's VOMS server")
	return nil
}

// last gives the last lines of a text that are not empty.
func last(text string, n int) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines[max(0, len(lines)-n):]
}

// containing gives the lines of a text that have one of the words.
func containing(text string, words ...string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		for _, word := range words {
			if strings.Contains(line, word) {
				lines = append(lines, strings.TrimSpace(line))
				break
			}
		}
	}
	return lines
}
