package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
)

// hangupPause is the least time between two reloads that SIGHUP asks for.
const hangupPause = time.Second

// reloader keeps a process as its files say: its configuration, what it trusts,
// and what it proves itself with.
type reloader struct {
	process   *process
	started   config.Config // at the start
	logger    *zap.Logger
	said      map[any]string          // what was last said of something, so that it is said once
	problems  map[any][]reloadProblem // what is wrong with something
	changes   []string                // what this reload has put in force
	restart   []string                // settings that need a restart, by the last file that was sound
	warned    map[any]time.Time       // when it was last said of a credential that it ends soon, or has ended
	flagsFrom time.Time               // when the file of the flags was written that are in force

	landlocked landlocked // what the process may do

	// Of a process that serves.
	reloads  *reloads
	log      *serviceLog
	shown    *atomic.Pointer[config.Config]
	begin    func(*member) // serves a tunnel that listens
	tryAgain func(*member) // tries its targets anew
}

func newReloader(p *process, logger *zap.Logger) *reloader {
	r := &reloader{
		process: p, started: p.config, logger: logger,
		said: map[any]string{}, problems: map[any][]reloadProblem{}, warned: map[any]time.Time{},
		restart: []string{}, flagsFrom: modified(p.config.FlagsFile), reloads: newReloads(time.Now()),
		log:   &serviceLog{queue: &logQueue{level: zap.NewAtomicLevel()}},
		shown: new(atomic.Pointer[config.Config]), begin: func(*member) {}, tryAgain: func(*member) {},
	}
	for files := range p.credentials {
		r.warned[files] = time.Now() // by logStart
	}
	return r
}

// run reloads at each SIGHUP and request, from time to time, and when a Store
// wants a look at files that have vanished, until ctx ends. Those that come
// within hangupPause of a reload are answered by one when it is over.
func (r *reloader) run(ctx context.Context, hangups <-chan os.Signal) {
	ticker := time.NewTicker(time.Hour)
	ticker.Stop()
	var interval time.Duration        // of the ticker; 0: it rests
	var pause <-chan time.Time        // after a reload that was asked for
	var asked int                     // for one, meanwhile
	var waiting []chan<- reloadResult // of these, for the result
	for {
		if now := r.process.config.ReloadInterval; now != interval {
			interval = now
			ticker.Stop()
			if interval > 0 {
				ticker.Reset(interval)
			}
		}
		select {
		case <-ctx.Done():
			ticker.Stop()
			return
		case <-ticker.C:
			r.look()
		case <-r.nextLook():
			r.look()
		case <-hangups:
			asked++
		case answer := <-r.reloads.requests:
			asked++
			waiting = append(waiting, answer)
		case <-pause:
			pause = nil
		}
		if pause != nil || asked == 0 {
			continue
		}
		result := r.hangup(ctx, asked > 1 && len(waiting) == 0)
		for _, answer := range waiting {
			answer <- result
		}
		pause, asked, waiting = time.After(hangupPause), 0, nil
	}
}

// look looks at the files that the configuration names, unasked.
func (r *reloader) look() {
	r.reload(time.Now())
	r.changes = nil // nobody waits to hear of them
	r.reloads.look(r.listProblems())
}

// hangup reloads because somebody asks for it. In a storm of signals it says
// nothing that it has said before.
func (r *reloader) hangup(ctx context.Context, storm bool) reloadResult {
	state := daemon.SdNotifyReloading + "\n" + strings.TrimSpace(daemon.SdNotifyMonotonicUsec())
	notify(state, "reloading, "+r.process.summary())
	if !storm {
		clear(r.said) // who asks is told again
	}
	r.changes = []string{}
	said := r.reopenLog()
	said = r.reloadConfig(ctx) || said
	if !r.reload(time.Now()) && !said && !storm {
		r.logger.Info("reload: nothing has changed")
	}
	result := reloadResult{Changes: r.changes, Restart: r.restart, Problems: r.listProblems()}
	r.reloads.note(result, time.Now())
	notify(daemon.SdNotifyReady, r.summary())
	return result
}

// logFileProblem is the key of what was said of the file of the log.
const logFileProblem = "the log file"

// reopenLog opens the file of the log anew, whose name may be another file's now.
// It reports whether there was anything to say.
func (r *reloader) reopenLog() (said bool) {
	if err := r.log.reopen(); err != nil {
		return r.fail(logFileProblem, "the log file cannot be opened anew: the log goes on in the old one", err)
	}
	r.mended(logFileProblem)
	return false
}

// summary is the state of the process in a few words, with why the last reload
// failed, as long as that is so. It may be called concurrently.
func (r *reloader) summary() string {
	summary := r.process.summary()
	switch problems := r.reloads.snapshot().Problems; len(problems) {
	case 0:
		return summary
	case 1:
		return summary + "; reload failed: " + problems[0].Text
	default:
		return fmt.Sprintf("%s; reload failed: %s, and %d more", summary, problems[0].Text, len(problems)-1)
	}
}

// listProblems lists what is wrong now, the configuration first.
func (r *reloader) listProblems() []reloadProblem {
	list := slices.Clone(r.problems[r.process.config.File()])
	var others []reloadProblem
	for what, problems := range r.problems {
		if what != r.process.config.File() {
			others = append(others, problems...)
		}
	}
	slices.SortFunc(others, func(a, b reloadProblem) int { return strings.Compare(a.Text, b.Text) })
	list = append(list, others...)
	return append([]reloadProblem{}, list[:min(len(list), maxProblems)]...)
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
		for _, t := range r.process.all() { // also those that are leaving
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
	r.mended(trust)
	if change.Empty() {
		return change, false
	}
	r.changed("trust changed: " + change.String())
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
	if r.started.User != "" && errors.Is(err, fs.ErrPermission) {
		err = usage.WithHint(err, "restart gtunnel: it read the file as root, and is the user "+r.started.User+" now")
	}
	if err != nil {
		said = r.fail(files, "reload failed: the certificate stays as it was", err)
	} else {
		r.mended(files)
	}
	if changed {
		r.changed("certificate changed: " + files.cert)
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

// changed notes what is in force now.
func (r *reloader) changed(text string) { r.changes = append(r.changes, text) }

// mended notes that nothing is wrong with something.
func (r *reloader) mended(what any) {
	delete(r.said, what)
	delete(r.problems, what)
}

// problem puts what is wrong into the user's words.
func (r *reloader) problem(text, cure string) reloadProblem {
	c := &r.process.config
	return reloadProblem{Text: certs.NameSettings(text, c.SettingName), Cure: c.Words(cure)}
}

// fail logs why something could not be reloaded, unless it has said so before,
// and reports whether it did.
func (r *reloader) fail(what any, message string, err error) bool {
	err = r.landlocked.explain(err)
	text, cure := fmt.Sprint(err), usage.HintOf(err)
	r.problems[what] = []reloadProblem{r.problem(text, cure)}
	if !r.news(what, text) {
		return false
	}
	fields := []zap.Field{zap.String("reason", text)}
	if cure != "" {
		fields = append(fields, zap.String("cure", cure))
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
