package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/page"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/tunnel"
)

// serve runs the tunnels of a configuration. When ctx ends, or at SIGTERM or
// SIGINT, the tunnels drain and serve returns nil; a second signal closes
// their connections at once. SIGHUP reloads the configuration file,
// certificates and trust, or says that the terminal is gone, which is a first
// signal to stop. The failure of one tunnel ends all: a supervisor then starts
// the process anew.
func (m *Main) serve(ctx context.Context, c config.Config) error {
	// A reader of the log that goes away must not end the process. It stays so
	// to its end: Run may still report a failure.
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(signals)
	hangups, endHangups := watchHangups(signals)
	defer endHangups()

	account, err := findAccount(&c)
	if err != nil {
		return err
	}
	log, err := m.openServiceLog(c)
	if err != nil {
		return err
	}
	defer log.end()
	shown := new(atomic.Pointer[config.Config])
	shown.Store(&c)
	events := new(page.Events)
	logger := withEvents(withCures(log.logger, shown), events)
	p, err := newProcess(c, logger)
	if err != nil {
		return err
	}
	reloads := newReloads(time.Now())
	// The admin socket is first because its making changes the umask.
	overview := m.newPage(p, reloads, shown, events)
	words := func(text string) string { return shown.Load().Words(text) }
	admin, err := m.startAdmin(ctx, c, adminHandler(p.all, words, log.queue, reloads, overview, logger), logger)
	if err != nil {
		return err
	}
	if admin != nil {
		defer admin.close()
	}
	p.logStart(logger, time.Now())
	logDoubts(logger, &c)
	logOpenFiles(logger, &c)
	p.sockets = receiveSockets(logger)
	p.sockets.dropIdle(p.tunnels)
	if err := p.listen(ctx); err != nil {
		return err
	}
	pid, err := p.leaveRoot(account, admin, logger)
	defer pid.remove(logger)
	if err != nil {
		p.closeTunnels()
		return err
	}
	reloader := newReloader(p, logger)
	reloader.reloads, reloader.log, reloader.shown = reloads, log, shown
	reloader.landlocked = m.restrict(&c, logger) // what is needed once has been done
	s := service{
		process: p, logger: logger, signals: signals, hangups: hangups, admin: admin, page: overview, reloader: reloader,
		ended: make(chan ending),
	}
	return s.run(ctx)
}

// listen binds every tunnel's address, or none. The error joins what failed.
func (p *process) listen(ctx context.Context) error {
	var failed []error
	for _, t := range p.tunnels {
		if err := p.sockets.listen(ctx, t); err != nil {
			failed = append(failed, inPlace(p.config.Where(&t.config, "accept"), err))
		}
	}
	if failed == nil {
		p.sockets.settle(p.tunnels)
		return nil
	}
	p.sockets.sayUnits(p.tunnels) // may be why
	p.closeTunnels()
	return errors.Join(failed...)
}

// inPlace says where the setting stands with which a tunnel failed.
func inPlace(where string, err error) error {
	if e, ok := errors.AsType[*tunnel.ConfigError](err); ok {
		return usage.WithHint(fmt.Errorf("%s: %s", where, e.Reason), e.Cure)
	}
	return fmt.Errorf("%s: %w", where, err)
}

// service is a process that serves.
type service struct {
	*process

	logger   *zap.Logger
	signals  <-chan os.Signal // to stop
	hangups  <-chan os.Signal // to reload
	admin    *adminServer     // nil: none
	page     *page.Page
	reloader *reloader
	serving  sync.WaitGroup
	ended    chan ending
}

// ending is the end of a tunnel.
type ending struct {
	member *member
	err    error
}

// run serves every tunnel and waits for the end of all.
func (s *service) run(ctx context.Context) error {
	reloading, stopReloading := context.WithCancel(context.WithoutCancel(ctx)) // until the last connection has ended
	ctx, drain := context.WithCancel(ctx)
	defer s.serving.Wait()
	defer drain() // ends the tries of a target that was never reached, too
	s.start()
	for _, m := range s.tunnels {
		s.begin(ctx, m)
	}
	s.reloader.begin = func(m *member) { s.begin(ctx, m) }
	s.reloader.tryAgain = func(m *member) { s.try(ctx, m) }
	s.serving.Go(func() { s.reloader.run(reloading, s.hangups) })
	s.serving.Go(func() { saveMemory(reloading, s.all) })
	s.serving.Go(func() { s.page.Run(reloading) })
	defer stopReloading()
	notify(daemon.SdNotifyReady, s.reloader.summary())
	return s.untilEnd(ctx, drain)
}

// begin serves a tunnel, which listens, until ctx ends or it is retired.
func (s *service) begin(ctx context.Context, m *member) {
	s.try(ctx, m)
	s.serving.Go(func() {
		err := m.Serve(ctx)
		if err != nil {
			err = fmt.Errorf("tunnel %s: %w", m.config.Name, err)
		}
		s.ended <- ending{member: m, err: err}
	})
}

// try tries the targets of a tunnel, until ctx ends or its stopTries is called.
func (s *service) try(ctx context.Context, m *member) {
	trying, stop := context.WithCancel(ctx)
	m.stopTries = stop
	s.serving.Go(func() {
		defer stop()
		m.Try(trying)
	})
}

// untilEnd waits for the end of every tunnel, and returns the first failure. The
// first signal drains the tunnels, the second closes them.
func (s *service) untilEnd(ctx context.Context, drain func()) (failed error) {
	var adminEnded <-chan struct{}
	if s.admin != nil {
		adminEnded = s.admin.ended
	}
	watchdog := newWatchdog(s.logger)
	defer watchdog.stop()
	stopping := ctx.Done()
	for left := true; left; {
		select {
		case end := <-s.ended:
			left = s.forget(end.member)
			if end.err != nil && failed == nil {
				failed = end.err
				notify(daemon.SdNotifyStopping, "failed: "+failed.Error())
				s.closeTunnels()
			}
		case <-adminEnded:
			adminEnded = nil
			if failed == nil {
				failed = s.admin.err
				s.closeTunnels()
			}
		case received := <-s.signals:
			if ctx.Err() != nil {
				s.closeTunnels()
				s.logger.Warn("closing all connections at once", zap.Stringer("signal", received))
				break
			}
			drain()
			s.logger.Info("draining: a second signal closes all connections at once", zap.Stringer("signal", received))
		case <-stopping:
			stopping = nil
			notify(daemon.SdNotifyStopping, "draining, "+s.reloader.summary())
		case <-watchdog.ticks:
			watchdog.look(s.current(), s.reloader.summary())
		}
	}
	return failed
}

// notify tells systemd the state of the process, if systemd asked for it.
func notify(state, status string) {
	// Without systemd there is nobody to tell; and with it, a lost message
	// shows as a time-out there.
	_, _ = daemon.SdNotify(false, state+"\nSTATUS="+status)
}

// ownFiles are the files that a process has open beside its connections, many
// connections of its admin address included.
const ownFiles = 100

// logOpenFiles warns if the process may have fewer files open than the limits of
// its tunnels together take.
func logOpenFiles(logger *zap.Logger, c *config.Config) {
	needed, limit := ownFiles, tunnel.OpenFilesLimit()
	for i := range c.Tunnels {
		needed += c.Tunnels[i].Config().OpenFiles()
	}
	if needed <= limit {
		return
	}
	logger.Warn("fewer files may be open than the tunnels take at their limits: connections will be refused before that",
		zap.Int("open_files", limit), zap.Int("needed", needed), zap.String("cure",
			fmt.Sprintf("write LimitNOFILE=%d into the systemd unit (systemctl edit), or ulimit -Hn %d before the start; "+
				"or lower max-connections", needed, needed)))
}

// logDoubts warns of access rules that are sound and may match nobody, and of trust in
// every host as a proxy.
func logDoubts(logger *zap.Logger, c *config.Config) {
	for _, doubt := range c.Doubts() {
		logger.Warn("an access rule may match nobody", zap.String("reason", doubt.Error()), zap.String("cure", doubt.Hint()))
	}
	for _, doubt := range c.ProxyDoubts() {
		logger.Warn("every host is taken for a proxy", zap.String("reason", doubt.Error()), zap.String("cure", doubt.Hint()))
	}
}
