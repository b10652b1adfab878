package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/tunnel"
)

// serve runs the tunnels of a configuration. When ctx ends, or at SIGTERM or
// SIGINT, the tunnels drain and serve returns nil; a second signal closes
// their connections at once. SIGHUP reloads certificates, trust and access
// rules, or says that the terminal is gone, which is a first signal to stop. The
// failure of one tunnel ends all: a supervisor then starts the process anew.
func (m *Main) serve(ctx context.Context, config Config) error {
	// A reader of the log that goes away must not end the process. It stays so
	// to its end: Run may still report a failure.
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(signals)
	hangups, endHangups := watchHangups(signals)
	defer endHangups()

	logger := config.origin.inLog(newLogger(config, m.log, m.Getenv))
	p, err := newProcess(config, logger)
	if err != nil {
		return err
	}
	// The admin socket is first because its making changes the umask.
	admin, err := m.startAdmin(ctx, config, tunnel.AdminHandler(p.tunnels, lostLines(m.log)), logger)
	if err != nil {
		return err
	}
	if admin != nil {
		defer admin.close()
	}
	p.logStart(logger, time.Now())
	config.logDoubts(logger)
	if err := p.listen(ctx); err != nil {
		return err
	}
	return p.run(ctx, logger, signals, hangups, admin)
}

// listen binds every tunnel's address, or none. The error joins what failed.
func (p *process) listen(ctx context.Context) error {
	var failed []error
	for i, t := range p.tunnels {
		if err := t.Listen(ctx); err != nil {
			where := p.config.origin.describe(place{"tunnel", p.config.Tunnels[i].Name, "accept"})
			failed = append(failed, inPlace(where, err))
		}
	}
	if failed == nil {
		return nil
	}
	p.closeTunnels()
	return errors.Join(failed...)
}

// inPlace says where the setting stands with which a tunnel failed.
func inPlace(where string, err error) error {
	if e, ok := errors.AsType[*tunnel.ConfigError](err); ok {
		return &hintedError{fmt.Errorf("%s: %s", where, e.Reason), e.Cure}
	}
	return fmt.Errorf("%s: %w", where, err)
}

func (p *process) closeTunnels() {
	for _, t := range p.tunnels {
		_ = t.Close() // nothing but the listener can fail, and it is going
	}
}

// run serves every tunnel and waits for the end of all.
func (p *process) run(ctx context.Context, logger *zap.Logger, signals, hangups <-chan os.Signal, admin *adminServer) error {
	reloading, stopReloading := context.WithCancel(context.WithoutCancel(ctx)) // until the last connection has ended
	ctx, drain := context.WithCancel(ctx)
	defer drain()
	ended := make(chan error, len(p.tunnels))
	var serving sync.WaitGroup
	for i, t := range p.tunnels {
		name := p.config.Tunnels[i].Name
		serving.Go(func() {
			err := t.Serve(ctx)
			if err != nil {
				err = fmt.Errorf("tunnel %s: %w", name, err)
			}
			ended <- err
		})
	}
	defer serving.Wait()
	serving.Go(func() { newReloader(p, logger).run(reloading, hangups) })
	serving.Go(func() { saveMemory(reloading, p.tunnels) })
	defer stopReloading()
	trying, stopTrying := context.WithCancel(ctx)
	for _, t := range p.tunnels {
		serving.Go(func() { t.Try(trying) })
	}
	defer stopTrying()

	var adminEnded <-chan struct{}
	if admin != nil {
		adminEnded = admin.ended
	}
	watchdog, stopWatchdog := newWatchdog()
	defer stopWatchdog()
	notify(daemon.SdNotifyReady, p.summary())

	var failed error
	stopping := ctx.Done()
	for left := len(p.tunnels); left > 0; {
		select {
		case err := <-ended:
			left--
			if err != nil && failed == nil {
				failed = err
				notify(daemon.SdNotifyStopping, "failed: "+err.Error())
				p.closeTunnels()
			}
		case <-adminEnded:
			adminEnded = nil
			if failed == nil {
				failed = admin.err
				p.closeTunnels()
			}
		case s := <-signals:
			if ctx.Err() != nil {
				p.closeTunnels()
				logger.Warn("closing all connections at once", zap.Stringer("signal", s))
				break
			}
			drain()
			logger.Info("draining: a second signal closes all connections at once", zap.Stringer("signal", s))
		case <-stopping:
			stopping = nil
			notify(daemon.SdNotifyStopping, "draining, "+p.summary())
		case <-watchdog:
			// The summary needs every tunnel's locks: a tunnel that is stuck
			// lets the watchdog bite.
			notify(daemon.SdNotifyWatchdog, p.summary())
		}
	}
	return failed
}

// sessions counts the open connections of all tunnels.
func (p *process) sessions() int {
	n := 0
	for _, t := range p.tunnels {
		n += len(t.Status().Sessions)
	}
	return n
}

// summary is the state of the process in a few words, for systemctl status.
func (p *process) summary() string {
	return fmt.Sprintf("%s, %s", count(len(p.tunnels), "tunnel"), count(p.sessions(), "connection"))
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// notify tells systemd the state of the process, if systemd asked for it.
func notify(state, status string) {
	// Without systemd there is nobody to tell; and with it, a lost message
	// shows as a time-out there.
	_, _ = daemon.SdNotify(false, state+"\nSTATUS="+status)
}

// newWatchdog ticks twice in the time in which systemd wants a sign of life;
// never if it wants none.
func newWatchdog() (ticks <-chan time.Time, stop func()) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval <= 0 {
		return nil, func() {}
	}
	ticker := time.NewTicker(interval / 2)
	return ticker.C, ticker.Stop
}
