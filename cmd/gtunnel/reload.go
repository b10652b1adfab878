package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
)

// reloader keeps what a process trusts, and what it proves itself with, as
// the files say.
type reloader struct {
	process *process
	logger  *zap.Logger
	failed  map[any]string    // what could not be reloaded, and why, so that it is said once
	warned  map[any]time.Time // when a credential was last said to end soon
}

func newReloader(p *process, logger *zap.Logger) *reloader {
	r := &reloader{process: p, logger: logger, failed: map[any]string{}, warned: map[any]time.Time{}}
	for files := range p.credentials {
		r.warned[files] = time.Now() // by logStart
	}
	return r
}

// run reloads at each SIGHUP, and from time to time, until ctx ends.
func (r *reloader) run(ctx context.Context, hangups <-chan os.Signal) {
	var ticks <-chan time.Time
	if interval := r.process.config.ReloadInterval; interval > 0 {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		ticks = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
			r.reload(time.Now())
		case <-hangups:
			notify(daemon.SdNotifyReloading+"\n"+strings.TrimSpace(daemon.SdNotifyMonotonicUsec()), "reloading, "+r.process.summary())
			clear(r.failed) // who asks is told again
			if !r.reload(time.Now()) {
				r.logger.Info("reload: nothing has changed")
			}
			notify(daemon.SdNotifyReady, r.process.summary())
		}
	}
}

// reload looks at all files and reports whether there was anything to say.
// What has gone bad stays as it was.
func (r *reloader) reload(now time.Time) (said bool) {
	trustChanged := false
	for trust, store := range r.process.stores {
		change, err := store.value.Reload()
		if err != nil {
			said = r.fail(trust, "reload failed: the trust stays as it was", err) || said
			continue
		}
		delete(r.failed, trust)
		if change.Empty() {
			continue
		}
		trustChanged = true
		r.logger.Info("trust changed", append(trustFields(trust), zap.Stringer("change", change))...)
		logProblems(r.logger, change.Problems)
		r.process.logCRLs(r.logger, trust, store.value.Snapshot(), now)
	}
	for files, credential := range r.process.credentials {
		changed, err := credential.value.Reload()
		switch {
		case err != nil:
			said = r.fail(files, "reload failed: the certificate stays as it was", err) || said
		case changed:
			logCredential(r.logger, "certificate changed", files, credential.value, now)
			r.warned[files] = now
			said = true
			fallthrough
		default:
			delete(r.failed, files)
		}
		if left := credential.value.Certificate().NotAfter.Sub(now); left < expirySoon && now.Sub(r.warned[files]) >= 24*time.Hour {
			logCredential(r.logger, "certificate", files, credential.value, now)
			r.warned[files] = now
		}
	}
	if trustChanged {
		for _, t := range r.process.tunnels {
			t.Recheck()
		}
	}
	return said || trustChanged
}

// fail logs why something could not be reloaded, unless it has said so
// before.
func (r *reloader) fail(what any, message string, err error) bool {
	text := fmt.Sprint(err)
	if r.failed[what] == text {
		return false
	}
	r.failed[what] = text
	fields := []zap.Field{zap.String("reason", text)}
	if hint := hintOf(err); hint != "" {
		fields = append(fields, zap.String("cure", hint))
	}
	r.logger.Error(message, fields...)
	return true
}
