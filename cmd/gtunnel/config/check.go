package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/tunnel"
)

// Faults are all that is wrong with the configuration itself: what it names is
// not looked at.
func (c *Config) Faults() []*usage.Error { return slices.Concat(c.problems, c.check()) }

// check finds what the values say wrongly, alone and together. It says nothing
// about keys whose values were found wrong before.
func (c *Config) check() []*usage.Error {
	var found []*usage.Error
	if c.Admin.Address != (tunnel.Address{}) && !c.Admin.IsLoopback() {
		found = append(found, c.origin.errorAt(place{"admin", "address"},
			fmt.Sprintf("%s is not a loopback address: anybody could reach it", c.Admin.Address),
			"use 127.0.0.1:9307, and from elsewhere ssh -L 9307:127.0.0.1:9307 HOST, or unix:/run/gtunnel/admin.sock"))
	}
	taken := false
	for i, t := range c.Tunnels {
		if !c.origin.sound(t.place(), "role") {
			continue // without it the rest is guesswork
		}
		found = append(found, c.checkRules(t)...)
		found = append(found, c.checkAccess(t)...)
		found = append(found, c.checkSettings(t)...)
		overlaps := c.checkAccept(i)
		taken = taken || len(overlaps) > 0
		found = append(found, overlaps...)
	}
	if !taken {
		found = append(found, c.checkCircles()...)
	}
	return found
}

// checkRules wants a server to say who may connect.
func (c *Config) checkRules(t Tunnel) []*usage.Error {
	if t.Role != tunnel.Server || !c.origin.sound(t.place(), "allow_host", "allow_dn", "allow_all") {
		return nil
	}
	rules := len(t.AllowHost) + len(t.AllowDN)
	switch {
	case rules == 0 && !t.AllowAll:
		hint := "add --allow-host server2.domain.two (the slave's name), --allow-dn DN, " +
			"or --allow-all for every host with a certificate of a trusted CA"
		if c.origin.file != "" {
			hint = `add allow_host = ["server2.domain.two"] (the slave's name), allow_dn = ["DN"], ` +
				"or allow_all = true for every host with a certificate of a trusted CA"
		}
		return []*usage.Error{c.origin.errorAt(t.place(), "no access rule: nobody could connect", hint)}
	case rules > 0 && t.AllowAll:
		names := c.origin.keyName
		return []*usage.Error{c.origin.errorAt(t.place().key("allow_all"),
			fmt.Sprintf("contradicts %s and %s: it lets every host in", names("allow-host"), names("allow-dn")),
			"remove the one that you do not mean")}
	}
	return nil
}

// checkAccess finds access rules that can match nobody.
func (c *Config) checkAccess(t Tunnel) []*usage.Error {
	var found []*usage.Error
	check := func(key string, rules Tunnel) {
		if !c.origin.sound(t.place(), key) {
			return
		}
		if _, err := rules.Access(); err != nil {
			for _, err := range usage.Split(err) {
				e := c.origin.errorAt(t.place().key(key), "", c.origin.words(usage.HintOf(err)))
				e.Err = err
				found = append(found, e)
			}
		}
	}
	check("allow_host", Tunnel{AllowHost: t.AllowHost})
	check("allow_dn", Tunnel{AllowDN: t.AllowDN})
	return found
}

// checkSettings finds what package tunnel objects to.
func (c *Config) checkSettings(t Tunnel) []*usage.Error {
	var found []*usage.Error
	missing := len(t.Connect) == 0
	if missing && c.origin.sound(t.place(), "connect") {
		hint := "gtunnel client --connect server1.domain.one:3307"
		if c.origin.file != "" {
			hint = `add connect = ["server1.domain.one:3307"]`
		}
		found = append(found, c.origin.errorAt(t.place(),
			c.origin.keyName("connect")+" is missing: a client needs the address of the server", hint))
	}
	ready := t.Config()
	if !c.origin.sound(t.place(), "unsafe_plaintext") {
		ready.UnsafePlaintext = true // perhaps it is
	}
	for _, e := range ready.Check() {
		key := keyOf(e.Setting)
		if missing && key == "connect" || !c.origin.sound(t.place(), key) {
			continue
		}
		found = append(found, c.origin.errorAt(t.place().key(key), e.Reason, c.origin.words(e.Cure)))
	}
	return found
}

// checkAccept says who has the address of tunnel i already.
func (c *Config) checkAccept(i int) []*usage.Error {
	t := c.Tunnels[i]
	if !c.origin.sound(t.place(), "accept") {
		return nil
	}
	taken := func(by string) []*usage.Error {
		message := fmt.Sprintf("%s is taken by %s", t.Accept, by)
		return []*usage.Error{c.origin.errorAt(t.place().key("accept"), message, "give one of them another address")}
	}
	for _, other := range c.Tunnels[:i] {
		if c.origin.sound(other.place(), "role", "accept") && t.Accept.Overlaps(other.Accept) &&
			(!t.SharePort || !other.SharePort || t.Accept == other.Accept) {
			return taken(fmt.Sprintf("tunnel %s (%s)", other.Name, c.origin.describe(other.place().key("accept"))))
		}
	}
	if t.Accept.Overlaps(c.Admin.Address) {
		return taken(c.origin.describe(place{"admin", "address"}))
	}
	return nil
}

// checkCircles refuses tunnels whose connections come back to the first of
// them: they would go round until a limit is reached.
func (c *Config) checkCircles() []*usage.Error {
	var found []*usage.Error
	for i, t := range c.Tunnels {
		if names := c.circle(i, i, map[int]bool{}); len(names) > 1 { // of one alone: checkSettings
			found = append(found, c.origin.errorAt(t.place().key("connect"),
				fmt.Sprintf("connections would go round for ever: tunnels %s, %s", strings.Join(names, ", "), t.Name),
				"write the address of the target outside this process"))
		}
	}
	return found
}

// circle names the tunnels from i on that lead to the tunnel first, through
// later ones only, so that each circle is found once. It gives nil if none do.
func (c *Config) circle(first, i int, seen map[int]bool) []string {
	seen[i] = true
	t := c.Tunnels[i]
	if !c.origin.sound(t.place(), "role", "accept", "connect") {
		return nil
	}
	reaches := func(other int) bool {
		accept := c.Tunnels[other].Accept
		return slices.ContainsFunc(t.Connect, func(target tunnel.Address) bool { return target.Reaches(accept) })
	}
	if reaches(first) {
		return []string{t.Name}
	}
	for next := first + 1; next < len(c.Tunnels); next++ {
		if !seen[next] && reaches(next) {
			if rest := c.circle(first, next, seen); rest != nil {
				return append([]string{t.Name}, rest...)
			}
		}
	}
	return nil
}
