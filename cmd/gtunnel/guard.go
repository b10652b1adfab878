package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// guard is the command line of the guard.
type guard struct {
	pair              pairFlags
	lenient           bool
	aside, by, master bool
	fenced            string
}

func (m *Main) guardCommand() *cobra.Command {
	g := &guard{}
	cmd := &cobra.Command{
		Use:   "guard",
		Short: "Keep this host's server from being a second master: a service",
		Long: `Runs beside the server of either host of a pair, as the service gtunnel-guard. After
every start a server of a pair is read-only: the guard makes the master's writable
once it has heard that the other was not promoted meanwhile, and starts the slave
when the master answers. It closes a server whose host is not the master any more.
A cut of the network changes nothing on a master that runs.

Three flags tell the guard something, and run none. --stand-aside, before maintenance
of the slave's host: it will not be promoted, so that the master may start alone
meanwhile; --stand-by ends that. --i-am-master, on a master that waits for the other
after its start: the other is off, and stays off.`,
		Example: `  systemctl enable --now gtunnel-guard
  gtunnel replication guard --stand-aside    # on the slave, before maintenance
  gtunnel replication guard --stand-by       # after it
  gtunnel replication guard --i-am-master    # on the master, while the slave is off
  gtunnel replication guard --i-am-master --fenced server2.domain.two`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("stand-aside") && !g.aside {
				g.by = true
			}
			return m.guard(cmd.Context(), g)
		},
	}
	config.AddFlags(cmd, "", g.settings())
	return cmd
}

// settings are the flags.
func (g *guard) settings() []config.Setting {
	return append([]config.Setting{
		{
			Name: "lenient", Target: &g.lenient,
			Usage: "a master that starts waits only 30 s for the other: there may be two until they meet",
		},
		{Name: "stand-aside", Target: &g.aside, Usage: "promise that this host will not be promoted"},
		{Name: "stand-by", Target: &g.by, Usage: "take that promise back"},
		{Name: "i-am-master", Target: &g.master, Usage: "let this master start without having heard the other"},
		{
			Name: "fenced", Arg: "NAME", Target: &g.fenced, Preset: "asked",
			Usage: "with --i-am-master: the other host, of which you state that it is off",
		},
	}, g.pair.settings()...)
}

func (m *Main) guard(ctx context.Context, g *guard) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	said := 0
	for _, flag := range []bool{g.aside, g.by, g.master} {
		if flag {
			said++
		}
	}
	switch {
	case said > 1 || said == 1 && g.lenient:
		return &usage.Error{
			Message: "--stand-aside, --stand-by, --i-am-master and --lenient exclude each other", Cure: "give one of them",
		}
	case g.fenced != "" && !g.master:
		return &usage.Error{Where: "--fenced", Message: "belongs to --i-am-master", Cure: "leave it out"}
	}
	if err := m.mayTell(g); err != nil {
		return err
	}
	if said == 0 {
		return m.runGuard(ctx, g)
	}
	host, err := m.openHost(ctx, &g.pair)
	if err != nil {
		return err
	}
	if g.master {
		return m.iAmMaster(ctx, &host, g.fenced)
	}
	return m.standAside(ctx, &host, g.aside)
}

// mayTell refuses what the flags tell the guard, where that is a cluster manager's to decide.
// What they take back may be taken back anywhere.
func (m *Main) mayTell(g *guard) error {
	if !g.lenient && !g.aside && !g.master {
		return nil
	}
	pair, _, err := config.PairOf(g.pair.config)
	if err != nil || pair.Guard != string(term.Cluster) {
		return err
	}
	switch {
	case g.lenient:
		return &usage.Error{
			Where: "--lenient", Message: fmt.Sprintf("a cluster manager decides when a server becomes writable: %s has "+
				"[pair] guard = %q", g.pair.config, pair.Guard),
			Cure: "leave it out",
		}
	case g.aside:
		p := failover.ClusterDecides(decidedIn(g.pair.config))
		p.Cure = "pcs node standby, or crm node standby, on this host keeps it from being promoted; node unstandby ends that"
		return p
	default:
		return m.mustBeOrdered(g.pair.config, false)
	}
}

// runGuard is the service, until ctx ends.
func (m *Main) runGuard(ctx context.Context, g *guard) error {
	c, err := config.Read(g.pair.config)
	if err != nil {
		return err
	}
	logger := newLogger(c, m.log, m.Getenv)
	for {
		again, err := m.guardOnce(ctx, g, logger)
		if !again || err != nil {
			return err
		}
		logger.Info("guard begins anew: the logins in its files have changed, or [pair] guard")
	}
}

// guardOnce guards until ctx ends, or, again, until the files with the logins at the other
// host have changed, as by setup-master --new-passwords, or the mode in [pair]: the commands
// go by that at once.
func (m *Main) guardOnce(ctx context.Context, g *guard, logger *zap.Logger) (again bool, err error) {
	before, modeChanged := g.pair.loginFiles(), g.watchMode()
	host, answers, err := m.waitForHost(ctx, g, logger)
	if err != nil || !answers {
		return false, err
	}
	if g.lenient {
		host.Mode = term.Lenient
	}
	host.Tell = func(e failover.Event) { logEvent(logger, e) }
	logger.Info("guard starts",
		zap.String("host", host.Name), zap.String("peer", host.Peer), zap.String("mode", string(host.Mode)))
	notify(daemon.SdNotifyReady, "it begins")
	within, end := context.WithCancel(ctx)
	defer end()
	guarding := &failover.Guard{Host: host, Looked: func(r failover.Round) {
		notify(daemon.SdNotifyWatchdog, summary(r))
		if g.pair.loginFiles() != before || modeChanged() {
			end()
		}
	}}
	err = guarding.Run(within)
	if within.Err() != nil && ctx.Err() == nil {
		return true, nil
	}
	notify(daemon.SdNotifyStopping, "the server stays as it is")
	logger.Info("guard ends, and leaves the server as it is")
	return false, err
}

// watchMode gives a function that reports whether [pair] guard is another than now. A file that
// is wrong, as one that is just being edited, says nothing.
func (g *guard) watchMode() func() bool {
	read := func() (content, mode string) {
		text, _ := os.ReadFile(g.pair.config) // an error is told by who needs it
		if pair, _, err := config.PairOf(g.pair.config); err == nil {
			mode = pair.Guard
		}
		return string(text), mode
	}
	seen, mode := read()
	return func() bool {
		if text, _ := os.ReadFile(g.pair.config); string(text) == seen {
			return false
		}
		text, now := read()
		if seen = text; now == "" || mode == "" {
			return false
		}
		return now != mode
	}
}

// guardPatience is how often a guard that starts before its server tries again.
const guardPatience = time.Second

// waitForHost opens the host, as soon as its server answers; answers is false if ctx ends before.
func (m *Main) waitForHost(ctx context.Context, g *guard, logger *zap.Logger,
) (host failover.Host, answers bool, err error) {
	for told := false; ctx.Err() == nil; told = true {
		host, err := m.openHost(ctx, &g.pair)
		if !finding.HasCode(err, "connect") && !finding.HasCode(err, server.NoAnswer) {
			return host, err == nil, err
		}
		if !told {
			logger.Warn("own server does not answer", zap.Error(err))
			notify(daemon.SdNotifyReady, "the server of this host does not answer")
		}
		notify(daemon.SdNotifyWatchdog, "the server of this host does not answer")
		_ = server.Pause(ctx, guardPatience) // it ends with ctx
	}
	return failover.Host{}, false, nil
}

// summary is a look in a few words, for systemctl status.
func summary(r failover.Round) string {
	switch s := r.Sighting; {
	case s == nil:
		return "not done: " + r.Err.Error()
	case s.OwnServer == nil:
		return "the server of this host does not answer"
	case r.Err != nil:
		return "not done: " + r.Err.Error()
	}
	return r.Decision.Reason
}

// asidePatience is how long the master is waited for to note a promise, or its end.
const asidePatience = 10 * time.Second

// standAside promises that this host will not be promoted, or takes that back, and waits
// a little for the master to note it.
func (m *Main) standAside(ctx context.Context, host *failover.Host, aside bool) error {
	note, err := host.Store.Update(ctx, func(n *term.Note) error {
		if aside {
			return n.StandAside(time.Now())
		}
		n.StandBy()
		return nil
	})
	if err != nil {
		return err
	}
	says := "stands by: it may be promoted as soon as " + host.Peer + " has noted that"
	if aside {
		says = "stands aside: it will not be promoted, and " + host.Peer + " may start alone once it has noted that"
	}
	fmt.Fprintf(m.Stdout, "%s %s.\n", host.Name, says)
	within, cancel := context.WithTimeout(ctx, asidePatience)
	defer cancel()
	for {
		if alone, err := aloneOf(within, host, note.Term); err == nil && (alone == term.StoodAside) == aside {
			fmt.Fprintf(m.Stdout, "%s has noted it.\n", host.Peer)
			return nil
		}
		if server.Pause(within, time.Second) != nil {
			fmt.Fprintf(m.Stdout, "%s has not noted it yet: the guards of both hosts must run, and the tunnel.\n", host.Peer)
			return context.Cause(ctx)
		}
	}
}

// aloneOf reads why the peer, which has the same term, may start alone.
func aloneOf(ctx context.Context, host *failover.Host, of term.Term) (term.Alone, error) {
	peer, err := host.PeerServer(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = peer.Close() }() // it was only read
	r, err := term.ReadRecord(ctx, peer, peer.DB)
	switch {
	case err != nil:
		return "", err
	case r == nil || !r.Term.Same(of):
		return "", &finding.Problem{On: finding.Peer, Code: "not-ready", Text: "it does not know the same term"}
	}
	return r.Alone, nil
}

// iAmMaster notes the administrator's word that the peer cannot serve, if nothing
// contradicts it.
func (m *Main) iAmMaster(ctx context.Context, host *failover.Host, fenced string) error {
	note, err := host.Store.Load(ctx)
	if err != nil {
		return err
	}
	if err := note.StateAlone(); err != nil { // before anything is asked
		return err
	}
	if err := host.MustBeSilent(ctx, note.Term); err != nil {
		return err
	}
	if err := m.mustState(ctx, host.Peer, fenced); err != nil {
		return err
	}
	if _, err := host.Store.Update(ctx, (*term.Note).StateAlone); err != nil {
		return err
	}
	fmt.Fprintf(m.Stdout, "%s, the master by the term %d, need not hear %s: its guard makes its server writable.\n"+
		"Should %s have been promoted, its term wins when they meet, and this server becomes read-only.\n",
		host.Name, note.Term.Number, host.Peer, host.Peer)
	return nil
}

// mustState asks for the statement that the other host is off, unless it was given.
func (m *Main) mustState(ctx context.Context, peer, fenced string) error {
	given := "--fenced " + peer
	if fenced == peer {
		return nil
	}
	if fenced != "" {
		return &usage.Error{
			Where: "--fenced", Message: fenced + " is not the other host of this pair", Cure: "write " + given,
		}
	}
	keyboard := terminal.OpenKeyboard(m.Stdin)
	if keyboard == nil {
		return &usage.Error{
			Message: "it must be stated that " + peer + " is off, and the standard input is no terminal to ask at",
			Cure:    "if it is off and stays off: write " + given,
		}
	}
	typed, err := m.typesWord(ctx, keyboard, "If "+peer+" is off and stays off, type its name: ", peer)
	if err == nil && !typed {
		err = finding.New("", "not-stated", "type "+peer+", or give "+given, "nothing was changed")
	}
	return err
}
