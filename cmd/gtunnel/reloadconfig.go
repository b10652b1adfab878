package main

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"time"

	"go.uber.org/zap"
)

// reloadConfig reads the configuration file again, if there is one, and puts
// its access rules in force: open connections are judged by them, too. What
// else the file says otherwise than what runs is named, for it needs a restart.
// A file with a fault changes nothing. It reports whether there was anything to
// say.
func (r *reloader) reloadConfig() (said bool) {
	running := &r.process.config
	file := running.origin.file
	if file == "" {
		return r.lookAtFlags()
	}
	config, err := readConfig(file)
	if err == nil {
		err = joinErrors(config.faults())
	}
	if err != nil {
		return r.badConfig(file, err)
	}
	delete(r.said, file)
	for i := range running.Tunnels {
		said = r.reloadAccess(i, config) || said
	}
	if said {
		config.logDoubts(r.logger)
	}
	if left := needRestart(running, &config); r.news(leftForRestart, fmt.Sprint(left)) && len(left) > 0 {
		r.logger.Warn("settings changed in the file: they need a restart", zap.Strings("settings", left))
		said = true
	}
	return said
}

// lookAtFlags says that somebody has written the file from which systemd gave
// this service its flags: they are those of the start.
func (r *reloader) lookAtFlags() (said bool) {
	file := r.process.config.origin.flagsFile
	if file == "" || modified(file).Equal(r.flagsFrom) || !r.news(file, "written") {
		return false
	}
	r.logger.Warn("the file of the flags has changed since the start: flags need a restart",
		zap.String("file", file), zap.String("cure", "systemctl restart this service"))
	return true
}

// modified is when a file was last written; zero if there is none.
func modified(file string) time.Time {
	info, err := os.Stat(file)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// leftForRestart is the key of what was said of settings that need a restart.
const leftForRestart = "left for a restart"

// badConfig says all that is wrong in a file, unless it has said so before.
func (r *reloader) badConfig(file string, err error) (said bool) {
	if !r.news(file, fmt.Sprint(err)) {
		return false
	}
	var problems []string
	for _, err := range split(err) {
		problems = append(problems, err.Error())
	}
	cure := hintOf(err)
	if len(problems) > 1 {
		cure = "gtunnel run --check --config " + file + " says what to do about each"
	}
	r.logger.Error("reload failed: the configuration stays as it was", zap.Strings("problems", problems), zap.String("cure", cure))
	return true
}

// reloadAccess puts the access rules that a sound configuration has for the
// tunnel number i in force. It reports whether they are others.
func (r *reloader) reloadAccess(i int, config Config) bool {
	running := &r.process.config.Tunnels[i]
	changed := config.tunnelNamed(running.Name)
	if changed == nil || changed.Role != running.Role {
		return false // for a restart
	}
	before, after := running.rules(), changed.rules()
	added, removed := without(after, before), without(before, after)
	if len(added)+len(removed) == 0 {
		return false
	}
	access, err := changed.access()
	if err != nil { // cannot be: the configuration is sound
		return r.badConfig(config.origin.file, err)
	}
	running.AllowHost, running.AllowDN, running.AllowAll = changed.AllowHost, changed.AllowDN, changed.AllowAll
	r.process.endpoints[i].SetAccess(access)
	r.process.tunnels[i].Recheck()
	r.logger.Info("access rules changed", zap.String("tunnel", running.Name), zap.Strings("added", added), zap.Strings("removed", removed))
	return true
}

// tunnelNamed finds a tunnel; nil if there is none of the name.
func (c *Config) tunnelNamed(name string) *TunnelConfig {
	i := slices.IndexFunc(c.Tunnels, func(t TunnelConfig) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return &c.Tunnels[i]
}

// rules are the access rules of a tunnel, each as the file writes it.
func (c *TunnelConfig) rules() []string {
	var rules []string
	for _, host := range c.AllowHost {
		rules = append(rules, fmt.Sprintf("allow_host %q", host))
	}
	for _, dn := range c.AllowDN {
		rules = append(rules, fmt.Sprintf("allow_dn %q", dn))
	}
	if c.AllowAll {
		rules = append(rules, "allow_all")
	}
	return rules
}

// without is the list less what is in the other.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}

// needRestart names the settings in which a file differs from what runs,
// access rules aside: by line and key, or by the key that it had.
func needRestart(running, file *Config) []string {
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
	now := file.settings()
	for i, before := range running.settings() {
		if before.differs(now[i]) {
			add(processPlace(before))
		}
	}
	for _, before := range running.Tunnels {
		section, after := before.place(), file.tunnelNamed(before.Name)
		if after == nil {
			add(section)
			continue
		}
		if before.Role != after.Role {
			add(section.key("role"))
		}
		now := after.settings()
		for i, s := range before.settings() {
			if s.group != groupAccess && s.differs(now[i]) {
				add(section.key(s.key()), place{"tls", s.key()})
			}
		}
	}
	for _, t := range file.Tunnels {
		if running.tunnelNamed(t.Name) == nil {
			add(t.place())
		}
	}
	slices.Sort(settings)
	return slices.Compact(settings) // tunnels share what is in [tls]
}

// differs says whether two settings of one name have other values.
func (s setting) differs(other setting) bool { return !reflect.DeepEqual(s.target, other.target) }
