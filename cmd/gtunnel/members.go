package main

import (
	"fmt"
	"slices"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/tunnel"
)

// all are the tunnels that run, those that are leaving last.
func (p *process) all() []*tunnel.Tunnel {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []*tunnel.Tunnel
	for _, m := range slices.Concat(p.tunnels, p.leaving) {
		list = append(list, m.Tunnel)
	}
	return list
}

// current are the tunnels that are to go on.
func (p *process) current() []*member {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.tunnels)
}

// adopt puts in force what comes after p, and gives the tunnels that are to
// begin and those that have to go; false if p is ending. What changes
// of the tunnels that stay is not done yet.
func (p *process) adopt(next *process) (begin, leave []*member, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return nil, nil, false
	}
	begin, leave = next.tunnelsBeside(p), p.tunnelsBeside(next)
	p.config, p.tunnels = next.config, next.tunnels
	p.stores, p.credentials = next.stores, next.credentials
	p.leaving = append(p.leaving, leave...)
	p.running += len(begin)
	return begin, leave, true
}

// tunnelsBeside are those of p that another process does not share.
func (p *process) tunnelsBeside(other *process) []*member {
	var found []*member
	for _, m := range p.tunnels {
		if !slices.ContainsFunc(other.tunnels, m.isSame) {
			found = append(found, m)
		}
	}
	return found
}

// isSame reports whether both are one tunnel, perhaps in two configurations.
func (m *member) isSame(other *member) bool { return m.Tunnel == other.Tunnel }

// start counts the tunnels that begin.
func (p *process) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = len(p.tunnels)
}

// forget counts a tunnel that has ended, and reports whether others are left.
func (p *process) forget(ended *member) (left bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaving = slices.DeleteFunc(p.leaving, ended.isSame)
	p.running--
	p.over = p.over || p.running == 0
	return p.running > 0
}

// closeTunnels ends all tunnels at once, and lets none begin.
func (p *process) closeTunnels() {
	p.mu.Lock()
	p.over = true
	p.mu.Unlock()
	for _, t := range p.all() {
		_ = t.Close() // nothing but the listener can fail, and it is going
	}
}

// summary is the state of the process in a few words, for systemctl status.
func (p *process) summary() string {
	p.mu.Lock()
	serving := len(p.tunnels)
	p.mu.Unlock()
	sessions := 0
	for _, t := range p.all() {
		sessions += len(t.Status().Sessions)
	}
	return fmt.Sprintf("%s, %s", finding.Count(serving, "tunnel"), finding.Count(sessions, "connection"))
}
