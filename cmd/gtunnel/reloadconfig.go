package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
)

// reloadConfig reads the configuration file again, if there is one, and puts
// its access rules in force: open connections are judged by them, too. What
// else the file says otherwise than what runs is named, for it needs a restart.
// A file with a fault changes nothing. It reports whether there was anything to
// say.
func (r *reloader) reloadConfig() (said bool) {
	running := &r.process.config
	if running.File() == "" {
		return r.lookAtFlags()
	}
	c, err := running.Again()
	if err == nil {
		err = usage.Join(c.Faults())
	}
	if err != nil {
		return r.badConfig(running.File(), err)
	}
	delete(r.said, running.File())
	for i := range running.Tunnels {
		said = r.reloadAccess(i, &c) || said
	}
	if said {
		logDoubts(r.logger, &c)
	}
	if left := config.NeedRestart(running, &c); r.news(leftForRestart, fmt.Sprint(left)) && len(left) > 0 {
		r.logger.Warn("settings changed in the file: they need a restart", zap.Strings("settings", left))
		said = true
	}
	return said
}

// lookAtFlags says that somebody has written the file from which systemd gave
// this service its flags: they are those of the start. It reports whether it has
// said so.
func (r *reloader) lookAtFlags() (said bool) {
	file := r.process.config.FlagsFile
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

// badConfig logs all that is wrong in a file, unless it has said so before, and
// reports whether it did.
func (r *reloader) badConfig(file string, err error) (said bool) {
	if !r.news(file, fmt.Sprint(err)) {
		return false
	}
	var problems []string
	for _, err := range usage.Split(err) {
		problems = append(problems, err.Error())
	}
	cure := usage.HintOf(err)
	if len(problems) > 1 {
		cure = "gtunnel run --check --config " + file + " says what to do about each"
	}
	r.logger.Error("reload failed: the configuration stays as it was",
		zap.Strings("problems", problems), zap.String("cure", cure))
	return true
}

// reloadAccess puts the access rules that a sound configuration has for the
// tunnel number i in force. It reports whether they are others.
func (r *reloader) reloadAccess(i int, c *config.Config) bool {
	running := &r.process.config.Tunnels[i]
	changed := c.TunnelNamed(running.Name)
	if changed == nil || changed.Role != running.Role {
		return false // for a restart
	}
	before, after := running.AccessRules(), changed.AccessRules()
	added, removed := without(after, before), without(before, after)
	if len(added)+len(removed) == 0 {
		return false
	}
	allowed, err := changed.Access()
	if err != nil { // cannot be: the configuration is sound
		return r.badConfig(c.File(), err)
	}
	running.AllowHost, running.AllowDN, running.AllowAll = changed.AllowHost, changed.AllowDN, changed.AllowAll
	r.process.endpoints[i].SetAccess(allowed)
	r.process.tunnels[i].Recheck()
	r.logger.Info("access rules changed",
		zap.String("tunnel", running.Name), zap.Strings("added", added), zap.Strings("removed", removed))
	return true
}

// without is the list less what is in the other.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}
