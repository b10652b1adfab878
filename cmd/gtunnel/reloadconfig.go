package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication/finding"
)

// reloadConfig reads the configuration file again, if there is one, and puts in
// force what it says: all of it, but for what needs a restart, which is named;
// or, if anything is wrong with it, nothing. It reports whether there was
// anything to say.
func (r *reloader) reloadConfig(ctx context.Context) (said bool) {
	running := r.process
	if running.config.File() == "" {
		return r.lookAtFlags()
	}
	next, err := r.prepare(ctx)
	if err != nil {
		return r.badConfig(running.config.File(), err)
	}
	r.mended(running.config.File())
	changes := config.Compare(&running.config, &next.config)
	left := config.NeedRestart(&r.started, &next.config)
	r.restart = append([]string{}, left...)
	if r.news(leftForRestart, fmt.Sprint(left)) && len(left) > 0 {
		said = true
		r.logger.Warn("settings changed in the file: they need a restart", zap.Strings("settings", left))
	}
	return r.commit(next, changes) || said
}

// prepare makes what the file says, as far as that can fail: it is loaded, and
// listens, and nothing that runs has changed. The error joins all that is wrong.
func (r *reloader) prepare(ctx context.Context) (*process, error) {
	c, err := r.process.config.Again()
	if err != nil {
		return nil, err
	}
	if err := r.landlocked.checkReload(c); err != nil {
		return nil, err
	}
	next, err := r.process.next(c, r.logger)
	if err != nil {
		return nil, err
	}
	if err := next.listenAfter(ctx, r.process); err != nil {
		return nil, err
	}
	return next, nil
}

// listenAfter has the tunnels listen that the process before does not have, or
// none. One at an address of a tunnel that has to go takes that over.
func (p *process) listenAfter(ctx context.Context, before *process) error {
	leave := before.tunnelsBeside(p)
	begin := p.tunnelsBeside(before)
	var failed []error
	for _, m := range begin {
		var err error
		if i := slices.IndexFunc(leave, func(old *member) bool { return old.config.Accept == m.config.Accept }); i >= 0 {
			err = m.ListenAs(leave[i].Tunnel)
			leave = slices.Delete(leave, i, i+1)
		} else {
			err = p.sockets.listen(ctx, m)
		}
		if err == nil {
			continue
		}
		err = inPlace(p.config.Where(&m.config, "accept"), err)
		for _, old := range leave {
			if old.config.Accept.Overlaps(m.config.Accept) {
				err = usage.WithHint(err, fmt.Sprintf("tunnel %s of this process listens at %s until it has gone, "+
					"and both cannot be had at once: restart the service", old.config.Name, old.config.Accept))
			}
		}
		failed = append(failed, err)
	}
	if failed == nil {
		return nil
	}
	for _, m := range begin {
		_ = m.Close() // it has served nobody
	}
	return errors.Join(failed...)
}

// commit puts in force what was prepared, which cannot fail. It reports whether
// there was anything to say.
func (r *reloader) commit(next *process, changes config.Changes) (said bool) {
	before := &process{
		config: r.process.config, tunnels: r.process.tunnels, stores: r.process.stores, credentials: r.process.credentials,
	}
	begin, leave, ok := r.process.adopt(next)
	if !ok {
		for _, m := range next.tunnelsBeside(before) {
			_ = m.Close() // it has served nobody
		}
		return false
	}
	c := &r.process.config
	r.shown.Store(&next.config)
	if c.LogLevel != before.config.LogLevel {
		r.changed("log level: " + c.LogLevel.String())
		r.log.queue.changeLevel(c.LogLevel, r.logger, "log level changed")
	}
	if c.ReloadInterval != before.config.ReloadInterval {
		r.changed("reload interval: " + finding.FormatDuration(c.ReloadInterval))
	}
	r.process.logLoaded(r.logger, before, time.Now())
	r.forgetFiles(before)
	for _, m := range begin {
		r.begin(m)
	}
	for _, change := range changes.Changed {
		r.applyChange(change, before.named(change.Name))
	}
	for _, name := range changes.Added {
		m := r.process.named(name)
		r.changed(fmt.Sprintf("tunnel %s added: %s", name, m.config.Summary()))
		r.logger.Info("tunnel added", zap.String("tunnel", name))
	}
	r.process.sockets.settle(r.process.tunnels)
	for _, m := range leave {
		r.retire(m)
	}
	if len(r.changes) > 0 {
		logDoubts(r.logger, c)
		logOpenFiles(r.logger, c)
	}
	return len(r.changes) > 0
}

// applyChange changes a tunnel that goes on, or tells that another has its name
// now.
func (r *reloader) applyChange(change config.TunnelChange, before *member) {
	m := r.process.named(change.Name)
	name := zap.String("tunnel", change.Name)
	if !change.Replaced {
		if err := m.Update(m.ready()); err != nil { // cannot be: the configuration is sound
			r.logger.Error("tunnel not changed", name, zap.Error(err))
			return
		}
		if m.config.ServerName != before.config.ServerName || !slices.Equal(m.config.Connect, before.config.Connect) {
			m.stopTries()
			r.tryAgain(m)
		}
	}
	if added, removed := change.RulesAdded, change.RulesRemoved; !change.Replaced && len(added)+len(removed) > 0 {
		r.changed(fmt.Sprintf("tunnel %s, whom it lets in: %s", change.Name, listRules(added, removed)))
		r.logger.Info("access rules changed", name, zap.Strings("added", added), zap.Strings("removed", removed))
	}
	switch settings := strings.Join(change.Settings, ", "); {
	case change.Replaced:
		r.changed(fmt.Sprintf("tunnel %s replaced: %s: %s", change.Name, settings, m.config.Summary()))
		r.logger.Info("tunnel replaced", name, zap.Strings("settings", change.Settings))
	case settings != "":
		r.changed(fmt.Sprintf("tunnel %s changed: %s", change.Name, settings))
		r.logger.Info("tunnel changed", name, zap.Strings("settings", change.Settings))
	}
}

// listRules lists rules that came and went.
func listRules(added, removed []string) string {
	var list []string
	for _, rule := range added {
		list = append(list, "+ "+rule)
	}
	for _, rule := range removed {
		list = append(list, "- "+rule)
	}
	return strings.Join(list, ", ")
}

// retire lets the connections of a tunnel go on for a while, as at a stop.
func (r *reloader) retire(m *member) {
	open := len(m.Status().Sessions)
	m.stopTries()
	m.Retire()
	r.logger.Info("tunnel drains: its connections may go on for a while", zap.String("tunnel", m.config.Name),
		zap.Int("connections", open), zap.Duration("drain_timeout", m.config.Timeouts.Drain))
	if r.process.named(m.config.Name) == nil {
		r.changed(fmt.Sprintf("tunnel %s removed: its %s may go on for %s", m.config.Name,
			finding.Count(open, "connection"), finding.FormatDuration(m.config.Timeouts.Drain)))
	}
}

// forgetFiles drops what is kept of files that the configuration no longer names.
func (r *reloader) forgetFiles(before *process) {
	now := time.Now()
	for trust := range before.stores {
		if _, used := r.process.stores[trust]; !used {
			r.mended(trust)
		}
	}
	for files := range before.credentials {
		if _, used := r.process.credentials[files]; !used {
			r.mended(files)
		}
	}
	maps.DeleteFunc(r.warned, func(what any, _ time.Time) bool {
		files, isFiles := what.(credentialFiles)
		_, used := r.process.credentials[files]
		return isFiles && !used
	})
	for files := range r.process.credentials {
		if _, known := r.warned[files]; !known {
			r.warned[files] = now // by logLoaded
		}
	}
}

// lookAtFlags says that somebody has written the file from which systemd gave
// this service its flags: they are those of the start. It reports whether it has
// said so.
func (r *reloader) lookAtFlags() (said bool) {
	file := r.process.config.FlagsFile
	r.restart = []string{}
	if file == "" || modified(file).Equal(r.flagsFrom) {
		return false
	}
	r.restart = []string{"the flags in " + file}
	if !r.news(file, "written") {
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
	var texts []string
	var problems []reloadProblem
	for _, err := range usage.Split(err) {
		err = r.landlocked.explain(err)
		texts = append(texts, err.Error())
		problems = append(problems, r.problem(err.Error(), usage.HintOf(err)))
	}
	r.problems[file] = problems
	if !r.news(file, fmt.Sprint(err)) {
		return false
	}
	cure := problems[0].Cure
	if len(texts) > 1 {
		cure = "gtunnel run --check --config " + file + " says what to do about each"
	}
	r.logger.Error("reload failed: the configuration stays as it was",
		zap.Strings("problems", texts), zap.String("cure", cure))
	return true
}
