package config

import (
	"slices"
	"strings"
)

// NeedRestart names the settings in which a file differs from what runs,
// access rules aside: by line and key, or by the key that it had.
func NeedRestart(running, file *Config) []string {
	var settings []string
	add := func(places ...place) {
		for _, p := range places {
			if file.origin.has(p) {
				settings = append(settings, file.origin.describe(p))
				return
			}
			if running.origin.has(p) {
				settings = append(settings, p.String()+" is gone")
				return
			}
		}
	}
	now := file.Settings()
	for i, before := range running.Settings() {
		if before.differs(now[i]) {
			add(processPlace(before))
		}
	}
	for _, before := range running.Tunnels {
		section, after := before.place(), file.TunnelNamed(before.Name)
		if after == nil {
			add(section)
			continue
		}
		if before.Role != after.Role {
			add(section.key("role"))
		}
		now := after.Settings()
		for i, s := range before.Settings() {
			if s.Group != GroupAccess && s.differs(now[i]) {
				add(section.key(s.key()), place{"tls", s.key()}, before.whole())
			}
		}
	}
	for _, t := range file.Tunnels {
		if running.TunnelNamed(t.Name) == nil {
			add(t.place())
		}
	}
	slices.Sort(settings)
	return slices.Compact(settings) // tunnels share what is in [tls]
}

// processPlace is where the file has a setting of the process.
func processPlace(s Setting) place {
	switch {
	case s.Group == GroupCertificates:
		return place{"tls", s.key()}
	case s.Name == "admin":
		return place{"admin", "address"}
	default:
		return place{"log", keyOf(strings.TrimPrefix(s.Name, "log-"))}
	}
}
