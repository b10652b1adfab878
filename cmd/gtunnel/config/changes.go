package config

import (
	"slices"
	"strings"
)

// Changes is how the tunnels of a file differ from those that run. Settings are
// named by line and key, or by the key that they had.
type Changes struct {
	Added   []string       // tunnels, in the order of the file
	Removed []string       // tunnels
	Changed []TunnelChange // in the order of the file
}

// TunnelChange is what differs of a tunnel.
type TunnelChange struct {
	Name     string
	Settings []string // access rules aside

	// Replaced reports that it cannot be changed while it runs: its role differs, or where it
	// listens.
	Replaced bool

	RulesAdded, RulesRemoved []string // as AccessRules has them
}

// CanBecome reports whether a tunnel that serves can take all in which another
// differs from it. One of another role, or at another address, is another
// tunnel.
func (t *Tunnel) CanBecome(other *Tunnel) bool {
	return t.Role == other.Role && t.Accept == other.Accept && t.SharePort == other.SharePort
}

// SameEndpoint reports whether two tunnels prove the same and ask the same of
// their peers.
func (t *Tunnel) SameEndpoint(other *Tunnel) bool {
	return t.Trust() == other.Trust() && t.Cert == other.Cert && t.Key == other.Key && t.MinTLS == other.MinTLS &&
		t.Policy() == other.Policy() && slices.Equal(t.AccessRules(), other.AccessRules())
}

// onlyRestart are the settings of the process that only a restart puts in force.
var onlyRestart = []string{"log-format", "log-file", "admin", "landlock", "user", "group", "pid-file"}

// NeedRestart names the settings of the process in which a file differs from
// that of the start, and that only a restart puts in force.
func NeedRestart(started, file *Config) (settings []string) {
	now := file.Settings()
	for i, before := range started.Settings() {
		if slices.Contains(onlyRestart, before.Name) && before.differs(now[i]) {
			settings = append(settings, difference(started, file, processPlace(before)))
		}
	}
	return settings
}

// Compare says how the tunnels of a file differ from those that run.
func Compare(running, file *Config) Changes {
	var changes Changes
	for _, after := range file.Tunnels {
		before := running.TunnelNamed(after.Name)
		if before == nil {
			changes.Added = append(changes.Added, after.Name)
		} else if change, differs := compareTunnel(running, file, before, &after); differs {
			changes.Changed = append(changes.Changed, change)
		}
	}
	for _, before := range running.Tunnels {
		if file.TunnelNamed(before.Name) == nil {
			changes.Removed = append(changes.Removed, before.Name)
		}
	}
	return changes
}

// compareTunnel says how one tunnel differs, and whether it does.
func compareTunnel(running, file *Config, before, after *Tunnel) (change TunnelChange, differs bool) {
	change.Name, change.Replaced = after.Name, !before.CanBecome(after)
	section := after.place()
	if before.Role != after.Role {
		change.Settings = append(change.Settings, difference(running, file, section.key("role")))
	}
	now := after.Settings()
	for i, s := range before.Settings() {
		if s.Group == GroupAccess || !s.differs(now[i]) {
			continue
		}
		differs = true
		change.Settings = append(change.Settings,
			difference(running, file, section.key(s.key()), place{"tls", s.key()}, before.whole()))
	}
	change.Settings = slices.DeleteFunc(change.Settings, func(s string) bool { return s == "" })
	slices.Sort(change.Settings)
	rules, rulesBefore := after.AccessRules(), before.AccessRules()
	change.RulesAdded, change.RulesRemoved = without(rules, rulesBefore), without(rulesBefore, rules)
	return change, differs || change.Replaced || len(change.RulesAdded)+len(change.RulesRemoved) > 0
}

// without is the list less what is in the other.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}

// difference names what differs: the first of the places that the file has, or
// that the running one had. It is empty where neither has any, as with what
// follows from another setting.
func difference(running, file *Config, places ...place) string {
	for _, p := range places {
		if file.origin.has(p) {
			return file.origin.describe(p)
		}
		if running.origin.has(p) {
			return p.String() + " is gone"
		}
	}
	return ""
}

// processPlace is where the file has a setting of the process.
func processPlace(s Setting) place {
	switch s.Name {
	case "admin":
		return place{"admin", "address"}
	case "landlock":
		return place{"landlock", "mode"}
	}
	if !strings.HasPrefix(s.Name, "log-") {
		return place{"process", s.key()}
	}
	return place{"log", keyOf(strings.TrimPrefix(s.Name, "log-"))}
}
