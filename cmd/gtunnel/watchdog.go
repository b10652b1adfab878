package main

import (
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/tunnel"
)

// watchdog gives systemd the sign of life that it wants (WatchdogSec= of
// systemd.service(5)), for as long as the process serves: its event loop, which asks for
// it, takes the locks of every tunnel for that; and the accept loop of no tunnel is
// stuck. Without the sign systemd ends the process by SIGABRT, at which Go writes what
// every goroutine does into the log, and starts it anew. What only waits for others, such
// as a folder of CAs on a dead file server, is no reason: a restart would wait, too.
type watchdog struct {
	ticks  <-chan time.Time
	stop   func()
	logger *zap.Logger
	before map[*tunnel.Tunnel]tunnel.Pulse // of the last look
	stuck  string                          // the tunnels that are, as last said
}

// newWatchdog ticks three times in the time in which systemd wants a sign; never if it
// wants none. So a tunnel must do nothing at two looks, a third of that time apart, before
// one is missing, and for all of it before systemd acts.
func newWatchdog(logger *zap.Logger) *watchdog {
	w := &watchdog{stop: func() {}, logger: logger, before: map[*tunnel.Tunnel]tunnel.Pulse{}}
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval <= 0 {
		return w
	}
	ticker := time.NewTicker(interval / 3)
	w.ticks, w.stop = ticker.C, ticker.Stop
	return w
}

// look tells systemd that the process lives, with its state in a few words, if it does.
func (w *watchdog) look(tunnels []*member, state string) {
	now := map[*tunnel.Tunnel]tunnel.Pulse{}
	var stuck []string
	for _, m := range tunnels {
		now[m.Tunnel] = m.Pulse()
		if earlier, known := w.before[m.Tunnel]; known && now[m.Tunnel].StuckSince(earlier) {
			stuck = append(stuck, m.config.Name)
		}
	}
	w.before = now
	slices.Sort(stuck)
	names := strings.Join(stuck, ", ")
	if names != "" && names != w.stuck {
		w.logger.Error("connections wait and are not accepted: systemd is not told that this process lives, "+
			"and will start it anew", zap.Strings("tunnels", stuck))
	}
	w.stuck = names
	if names == "" {
		notify(daemon.SdNotifyWatchdog, state)
	}
}
