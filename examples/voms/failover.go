package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// loseMaster kills the master's host, and lets Alice go on.
func (s *site) loseMaster(ctx context.Context) error {
	s.server1.kill()
	// As soon as its network has noticed that it is off, it says so to who connects.
	if err := ip(ctx, s.ui.pid(), "neigh", "flush", "dev", "network"); err != nil {
		return err
	}
	// The servers of vomses are tried in random order: until the dead one was the first.
	for range 10 {
		p, err := s.initProxy(ctx, nil)
		if err != nil {
			return err
		}
		if err := p.mustHave(s.server2, root, ops); err != nil {
			return err
		}
		s.sees(p)
		if len(p.tried) > 0 {
			break
		}
	}
	s.report.checked("voms-proxy-init goes on to the other server, with the same vomses as before")
	return s.mustRefuse(ctx, s.server2)
}

// promote makes the slave's host the master.
func (s *site) promote(ctx context.Context) error {
	out, err := s.server2.try(ctx, "gtunnel replication status")
	if err == nil {
		return errors.New("status says that the replication is well")
	}
	s.report.ran(s.server2.prompt, "gtunnel replication status")
	s.report.printed(strings.SplitN(out, "\n", 2)[0])
	if out, err = s.run(ctx, s.server2, "gtunnel replication promote --dry-run"); err != nil {
		return err
	}
	s.report.printed(strings.SplitN(out, "\n", 2)[0])
	out, err = s.run(ctx, s.server2, "gtunnel replication promote --fenced server1.domain.one --yes")
	if err != nil {
		return err
	}
	s.report.printed(containing(out, "is the master, by the term", "It took")...)
	if err := s.runAll(ctx, s.server2,
		"sed -i 's/enabled = false/enabled = true/; s/readonly = true/readonly = false/' "+properties); err != nil {
		return err
	}
	if err := s.addMembership(ctx, s.server2, "production"); err != nil {
		return err
	}
	return s.proxyBy(ctx, s.server2, root, ops, production)
}

// bringBack boots the old master with all that was enabled there.
func (s *site) bringBack(ctx context.Context) error {
	h := s.server1
	if err := h.boot(ctx); err != nil {
		return err
	}
	if err := h.connect(ctx, s.ui); err != nil {
		return err
	}
	if _, err := h.must(ctx, "systemctl boot"); err != nil {
		return err
	}
	if err := s.mustRefuse(ctx, h); err != nil {
		return err
	}
	if err := s.proxyBy(ctx, h, root, ops); err != nil {
		return err
	}
	s.report.checked("until it rejoins, its VOMS server knows the members of before: %s is not there", production)
	return nil
}

// rejoin makes the old master the slave of the new one.
func (s *site) rejoin(ctx context.Context) error {
	h := s.server1
	if _, err := s.run(ctx, h, "gtunnel replication rejoin --dry-run"); err != nil {
		return err
	}
	var out string
	started := time.Now()
	// Its guard has to have read the new term first.
	if err := until(ctx, "rejoin", func(ctx context.Context) (err error) {
		out, err = h.must(ctx, "gtunnel replication rejoin --yes")
		return err
	}); err != nil {
		return err
	}
	s.report.ran(h.prompt, "gtunnel replication rejoin --yes")
	s.report.printed(last(out, 3)...)
	if err := s.proxyBy(ctx, h, root, ops, production); err != nil {
		return err
	}
	s.report.checked("%.1f s after the command began, server1's VOMS server has what was added while it was away",
		time.Since(started).Seconds())
	if err := s.mustRefuse(ctx, h); err != nil {
		return err
	}
	for _, line := range []string{"gtunnel replication status", "gtunnel replication compare"} {
		if err := until(ctx, line, func(ctx context.Context) (err error) {
			out, err = h.must(ctx, line)
			return err
		}); err != nil {
			return err
		}
		s.report.ran(h.prompt, line)
		s.report.printed(containing(out, "ok: ", "tables equal")...)
	}
	return s.endAsBackup(ctx, h)
}

// endAsBackup lets the check of VOMS find what is left to do on a host that has become the
// backup, and does it.
func (s *site) endAsBackup(ctx context.Context, h *host) error {
	out, err := h.try(ctx, checkVOMS)
	if found := containing(out, "voms.registration.enabled", "users can ask"); err == nil || len(found) == 0 {
		return fmt.Errorf("the check does not find that the backup takes requests for memberships: %w\n%s", err, out)
	}
	s.report.ran(h.prompt, checkVOMS)
	s.report.printed(containing(out, "problem", "registration")...)
	if err := s.runAll(ctx, h,
		"sed -i 's/enabled = true/enabled = false/; s/readonly = false/readonly = true/' "+properties); err != nil {
		return err
	}
	for _, h := range s.servers() {
		if err := s.checkVOMS(ctx, h); err != nil {
			return err
		}
	}
	return s.waitReady(ctx, s.server2)
}
