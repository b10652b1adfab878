package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
)

// hangupPause is the least time between two reloads that SIGHUP asks for.
const hangupPause = time.Second

// reloader keeps what a process trusts, and what it proves itself with, as
// the files say.
type reloader struct {
	process   *process
	logger    *zap.Logger
	said      map[any]string    // what was last said of something, so that it is said once
	warned    map[any]time.Time // when it was last said of a credential that it ends soon, or has ended
	flagsFrom time.Time         // when the file of the flags was written that are in force
}

func newReloader(p *process, logger *zap.Logger) *reloader {
	r := &reloader{
		process: p, logger: logger, said: map[any]string{}, warned: map[any]time.Time{},
		flagsFrom: modified(p.config.FlagsFile),
	}
	for files := range p.credentials {
		r.warned[files] = time.Now() // by logStart
	}
	return r
}

// run reloads at each SIGHUP, from time to time, and when a Store wants a look
// at files that have vanished, until ctx ends. Signals that come within
// hangupPause of a reload are answered by one when it is over.
func (r *reloader) run(ctx context.Context, hangups <-chan os.Signal) {
	var ticks <-chan time.Time
	if interval := r.process.config.ReloadInterval; interval > 0 {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		ticks = ticker.C
	}
	var pause <-chan time.Time // after a reload by SIGHUP
	waiting := 0               // signals that came meanwhile
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
			r.reload(time.Now())
		case <-r.nextLook():
			r.reload(time.Now())
		case <-hangups:
			if pause != nil {
				waiting++
				break
			}
			r.hangup(false)
			pause = time.After(hangupPause)
		case <-pause:
			pause = nil
			if waiting > 0 {
				r.hangup(waiting > 1)
				pause, waiting = time.After(hangupPause), 0
			}
		}
	}
}

// hangup reloads because SIGHUP asks for it. In a storm of signals it says
// nothing that it has said before.
func (r *reloader) hangup(storm bool) {
	state := daemon.SdNotifyReloading + "\n" + strings.TrimSpace(daemon.SdNotifyMonotonicUsec())
	notify(state, "reloading, "+r.process.summary())
	if !storm {
		clear(r.said) // who asks is told again
	}
	said := r.reloadConfig()
	if !r.reload(time.Now()) && !said && !storm {
		r.logger.Info("reload: nothing has changed")
	}
	notify(daemon.SdNotifyReady, r.process.summary())
}

// nextLook ticks when the first of the stores wants to be reloaded; never if
// none does.
func (r *reloader) nextLook() <-chan time.Time {
	var next time.Time
	for _, store := range r.process.stores {
		if at := store.value.NextLook(); next.IsZero() || !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	if next.IsZero() {
		return nil
	}
	return time.After(time.Until(next))
}

// reload looks at all files and reports whether there was anything to say.
// What has gone bad stays as it was.
func (r *reloader) reload(now time.Time) (said bool) {
	trustChanged, chainChanged := false, false
	for trust, store := range r.process.stores {
		change, spoke := r.reloadTrust(trust, store.value, now)
		said = said || spoke
		trustChanged = trustChanged || !change.Empty()
		chainChanged = chainChanged || change.HasCAs()
	}
	for files, credential := range r.process.credentials {
		changed, spoke := r.reloadCredential(files, credential.value, now)
		said = said || spoke
		chainChanged = chainChanged || changed
	}
	if chainChanged {
		r.process.logEndedCAs(r.logger, now)
	}
	if trustChanged {
		for _, t := range r.process.tunnels {
			t.Recheck()
		}
	}
	return said
}

// reloadTrust reloads a store; change is nil if that failed.
func (r *reloader) reloadTrust(
	trust certs.StoreConfig, store *certs.Store, now time.Time,
) (change *certs.Change, said bool) {
	change, err := store.Reload()
	if err != nil {
		return nil, r.fail(trust, "reload failed: the trust stays as it was", err)
	}
	delete(r.said, trust)
	if change.Empty() {
		return change, false
	}
	r.logger.Info("trust changed", append(trustFields(trust), zap.Stringer("change", change))...)
	logProblems(r.logger, change.Problems)
	r.process.logCRLs(r.logger, trust, store.Snapshot(), now)
	return change, true
}

// reloadCredential reloads a certificate with its key, reminds of its end, and
// reports whether it is another one and whether anything was logged.
func (r *reloader) reloadCredential(
	files credentialFiles, credential *certs.Credential, now time.Time,
) (changed, said bool) {
	before := credential.Identity()
	changed, err := credential.Reload()
	if err != nil {
		said = r.fail(files, "reload failed: the certificate stays as it was", err)
	} else {
		delete(r.said, files)
	}
	if changed {
		logCredential(r.logger, "certificate changed", files, credential, now)
		logOtherNames(r.logger, files, before, credential.Identity())
		r.warned[files] = now
	}
	end, warned := credential.Certificate().NotAfter, r.warned[files]
	if end.Sub(now) < expirySoon && now.Sub(warned) >= 24*time.Hour || now.After(end) && !warned.After(end) {
		logCredential(r.logger, "certificate", files, credential, now)
		r.warned[files] = now
		said = true
	}
	return changed, said || changed
}

// fail logs why something could not be reloaded, unless it has said so before,
// and reports whether it did.
func (r *reloader) fail(what any, message string, err error) bool {
	if !r.news(what, fmt.Sprint(err)) {
		return false
	}
	fields := []zap.Field{zap.String("reason", fmt.Sprint(err))}
	if hint := usage.HintOf(err); hint != "" {
		fields = append(fields, zap.String("cure", hint))
	}
	r.logger.Error(message, fields...)
	return true
}

// news notes what is said of something, and reports whether it is another text
// than before.
func (r *reloader) news(what any, text string) bool {
	before, known := r.said[what]
	r.said[what] = text
	return !known || before != text
}
