package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/monitor"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/watch"
	"github.com/gtunnel/gtunnel/tunnel"
)

// monitoring is the command line of the monitor.
type monitoring struct {
	question statusQuestion
	interval time.Duration
	admin    tunnel.Address // zero: none
}

// The bounds of a look, and of the pause between two. A pause and two looks are shorter than what
// the unit gives as WatchdogSec.
const (
	monitorPause = 10 * time.Second
	mostPause    = time.Minute
	lookPatience = 45 * time.Second
)

func (m *Main) monitorCommand() *cobra.Command {
	c := monitoring{
		question: statusQuestion{stateDir: defaultStateDir, config: config.DefaultFile}, interval: monitorPause,
	}
	q := &c.question
	q.login.unsafePlaintext = &q.master.unsafePlaintext
	cmd := &cobra.Command{
		Use:   "monitor",
		Short: "Watch the replication for the page and for Prometheus: a service",
		Long: `Runs beside the slave, or on either host of a pair, as the service
gtunnel-monitor, and looks at the replication every 10 s, as gtunnel replication
status does, with the same logins. It changes nothing. Its log has a line where
something has changed, with what to do.
The page of gtunnel's --admin shows what it knows: it has that from the socket
replication.sock in ` + config.RuntimeFolder + `. With --admin, Prometheus has it at /metrics,
by mysqld_exporter's names where that has them, and a probe at /healthz. What is
not known is not there, and never 0.`,
		Example: `  systemctl enable --now gtunnel-monitor
  gtunnel replication monitor --admin 127.0.0.1:9308
  curl -s http://127.0.0.1:9308/metrics | grep ^gtunnel_replication`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return m.monitor(cmd.Context(), &c) },
	}
	settings := []config.Setting{
		{
			Name: "interval", Arg: "TIME", Target: &c.interval, Least: time.Second,
			Usage: "the pause between two looks; at most 1m",
		},
		{
			Name: "admin", Arg: "ADDRESS", Target: &c.admin, Preset: "none",
			Usage: "a port of this host for /metrics and /healthz",
		},
		{Name: "state-dir", Arg: "DIR", Target: &q.stateDir, File: true, Usage: "notes of runs that were cut off"},
		{Name: "config", Arg: "FILE", Target: &q.config, File: true, Usage: "the file with the section [pair]"},
	}
	settings = append(settings, q.login.settings()...)
	config.AddFlags(cmd, "", append(settings, q.master.settings()...))
	return cmd
}

// monitor is the service, until ctx ends or it is told to stop.
func (m *Main) monitor(ctx context.Context, c *monitoring) error {
	signal.Ignore(syscall.SIGPIPE) // a reader of the log that goes away must not end the process
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	switch {
	case c.interval > mostPause:
		return &usage.Error{
			Where: "--interval", Message: fmt.Sprintf("%s is too long", c.interval), Cure: "give at most " + mostPause.String(),
		}
	case c.admin != (tunnel.Address{}) && !c.admin.IsLoopback():
		return &usage.Error{
			Where: "--admin", Message: c.admin.String() + " is no loopback address: anybody could read there",
			Cure: "give a port of 127.0.0.1, or unix:PATH; Prometheus of another host comes by a proxy with TLS",
		}
	case isMistyped(c.question.config):
		_, err := os.Stat(c.question.config)
		return &usage.Error{Where: "--config", Err: err}
	}
	logger, err := m.monitorLogger(c.question.config)
	if err != nil {
		return err
	}
	m.Stdin = strings.NewReader("") // nobody is there to be asked for a password
	watching := monitor.New(mostPause + 2*lookPatience)
	handler := watching.Handler(lostLines(m.log), buildInfo())
	if c.admin != (tunnel.Address{}) {
		listener, err := listenAdmin(ctx, c.admin)
		if err != nil {
			return err
		}
		admin := newAdminServer([]net.Listener{listener}, handler, logger)
		go admin.serve()
		defer admin.close()
	}
	folder, _, _ := strings.Cut(m.Getenv("RUNTIME_DIRECTORY"), ":")
	socket := &pageSocket{folder: cmp.Or(folder, config.RuntimeFolder), handler: handler, logger: logger}
	defer socket.close()
	logger.Info("monitor starts", zap.Duration("interval", c.interval),
		zap.String("admin", cmp.Or(c.admin.String(), config.NoAdmin)))
	m.lookOn(ctx, c, watching, socket, logger)
	notify(daemon.SdNotifyStopping, "it ends")
	logger.Info("monitor ends")
	return nil
}

// monitorLogger logs as the configuration file has it, where there is one.
func (m *Main) monitorLogger(file string) (*zap.Logger, error) {
	c := config.New("monitor")
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		if c, err = config.Read(file); err != nil {
			return nil, err
		}
	}
	return newLogger(c, m.log, m.Getenv), nil
}

// lookOn looks again and again until ctx ends. The logins stay from look to look; after one
// that not both servers have answered all is asked by new ones, so that what has changed counts:
// a server that was started again, a password.
func (m *Main) lookOn(
	ctx context.Context, c *monitoring, watching *monitor.Monitor, socket *pageSocket, logger *zap.Logger,
) {
	var l lookout
	defer func() { l.close() }()
	for state := daemon.SdNotifyReady; ; state = daemon.SdNotifyWatchdog {
		socket.keep(ctx)
		begun, kept := time.Now(), l.slave != nil
		status, err := m.lookWithin(ctx, c, &l)
		if kept && !answeredByBoth(status) { // which may be the fault of the logins alone
			l.close()
			status, err = m.lookWithin(ctx, c, &l)
		}
		if ctx.Err() != nil {
			return
		}
		var line *monitor.Line
		if err != nil {
			line = watching.Fail(begun, errors.New(inFlags(err.Error())), m.inCommands(inFlags(usage.HintOf(err))))
		} else {
			status.Problems, status.Warnings = m.inCommandsOf(status.Problems), m.inCommandsOf(status.Warnings)
			line = watching.See(status)
		}
		if !answeredByBoth(status) {
			l.close()
		}
		logReplication(logger, line)
		notify(state, watching.Summary())
		if server.Pause(ctx, c.interval) != nil {
			return
		}
	}
}

// lookWithin is a look of lookPatience at most.
func (m *Main) lookWithin(ctx context.Context, c *monitoring, l *lookout) (*watch.Status, error) {
	within, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	status, err := m.look(within, &c.question, l)
	if err != nil && within.Err() != nil {
		err = fmt.Errorf("there is no answer within %s: %w", lookPatience, err)
	}
	return status, err
}

// answeredByBoth reports whether a look has reached all whom it asked.
func answeredByBoth(s *watch.Status) bool {
	return s != nil && s.State != watch.HealthServerDown && s.State != watch.HealthStalled && s.Master.Reachable
}

// logReplication logs a line of the monitor; nil: there is none.
func logReplication(logger *zap.Logger, line *monitor.Line) {
	if line == nil {
		return
	}
	fields := []zap.Field{zap.String("state", line.State), zap.String("summary", line.Summary)}
	if len(line.Codes) > 0 {
		fields = append(fields, zap.Strings("found", line.Codes))
	}
	if line.Hint != "" {
		fields = append(fields, zap.String("cure", line.Hint))
	}
	if line.Trouble {
		logger.Warn("replication", fields...)
	} else {
		logger.Info("replication", fields...)
	}
}
