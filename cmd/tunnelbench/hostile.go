package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// hostile attacks the server end of real pairs, on loopback, while a session
// carries all the data that it can and valid peers come, half of them from an
// address that the server knows and half from others. The flood has a
// processor of its own if there are two.
type hostile struct {
	attacks  []attack
	peers    int           // valid ones, of either kind, in each attack
	interval time.Duration // between two of a kind
	calm     time.Duration // before and after the attack, for the throughput without it
	patience time.Duration // of a valid peer
	confined bool          // share out the processors
}

// ordeal is what an attack did to a pair.
type ordeal struct {
	Pair, Attack string
	Peers        int     // valid ones of either kind
	Known        fate    // of an address from which a peer was verified before
	Strangers    fate    // of the others
	Left         float64 // throughput of the open session, as a share of before and after
	Memory       int64   // of the server at most, bytes
	Failure      error   // the first of a valid peer
}

// fate is how valid peers of one kind fared.
type fate struct {
	in      int // let in
	longest time.Duration
}

func selectAttacks(names []string) ([]attack, error) {
	all := allAttacks()
	var known []string
	for _, a := range all {
		known = append(known, a.name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("no attack is called %q: there are %s", name, strings.Join(known, ", "))
		}
	}
	if len(names) == 0 {
		return all, nil
	}
	return slices.DeleteFunc(all, func(a attack) bool { return !slices.Contains(names, a.name) }), nil
}

// runHostile is tunnelbench hostile.
func runHostile(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := pflag.NewFlagSet("tunnelbench hostile", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.SetOutput(stderr)
	names := flags.StringSlice("attack", nil, "which attacks, separated by commas (default all)")
	pairs := flags.StringSlice("pairs", []string{"gtunnel", "stunnel"}, "which pairs, separated by commas")
	quick := flags.Bool("quick", false, "a few seconds for each attack, without sharing out the processors")
	gtunnel := flags.String("gtunnel", "", "the gtunnel to attack (default bin/gtunnel, then PATH)")
	flags.Usage = func() {
		fmt.Fprintf(stderr, "usage: tunnelbench hostile [flags]\n\n%s\nattacks:\n", flags.FlagUsages())
		for _, a := range allAttacks() {
			fmt.Fprintf(stderr, "  %-7s %s\n", a.name, a.about)
		}
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		return nil
	case err != nil:
		return &usageError{error: withHint(err, "tunnelbench hostile --help")}
	case flags.NArg() > 0:
		return &usageError{error: fmt.Errorf("unexpected %q: tunnelbench hostile takes flags only", flags.Arg(0))}
	}
	h := hostile{
		peers: 25, interval: 400 * time.Millisecond, calm: 2 * time.Second, patience: 10 * time.Second,
		confined: true,
	}
	if *quick {
		h = hostile{peers: 6, interval: 400 * time.Millisecond, calm: 500 * time.Millisecond, patience: 30 * time.Second}
	}
	var err error
	if h.attacks, err = selectAttacks(*names); err != nil {
		return &usageError{error: err}
	}
	wanted, err := selectPeers(*pairs)
	if err != nil {
		return &usageError{error: err}
	}
	found, missing, err := findPeers(ctx, wanted, map[string]string{"gtunnel": *gtunnel})
	if err != nil {
		return err
	}
	for _, m := range missing {
		fmt.Fprintf(stderr, "left out: %s\nhint: %s\n", m, m.cure)
	}
	found = slices.DeleteFunc(found, func(i installed) bool { return i.plain })
	if len(found) == 0 {
		return errors.New("no pair is left to attack")
	}
	ordeals, err := h.run(ctx, found, stderr)
	return errors.Join(err, writeOrdeals(stdout, ordeals))
}

// run attacks each pair by each attack. It gives what it has with an error,
// too.
func (h *hostile) run(ctx context.Context, pairs []installed, stderr io.Writer) (ordeals []ordeal, err error) {
	most := 0
	for _, a := range h.attacks {
		most = max(most, a.conns)
	}
	b := &bench{scale: allScales()[1], peers: pairs, progress: stderr}
	b.scale.Idle = []int{most}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	site := b.sites[certstest.RSA]
	if err := writeHostile(b.folder, site.ca); err != nil {
		return nil, err
	}
	cpus, err := processors()
	if err != nil {
		return nil, err
	}
	own := []int(nil) // of the flood
	if h.confined && len(cpus) > 1 {
		own = cpus[len(cpus)-1:]
		if err := confine(os.Getpid(), cpus[:len(cpus)-1]); err != nil {
			return nil, err
		}
	}
	for _, i := range pairs {
		for _, a := range h.attacks {
			var o ordeal
			err := b.withPair(ctx, i, certstest.RSA, func(ctx context.Context, p *pair) (err error) {
				o, err = h.suffer(ctx, b, p, a, own)
				return err
			})
			if ctx.Err() != nil {
				return ordeals, context.Cause(ctx)
			}
			if err != nil {
				return ordeals, fmt.Errorf("%s, %s: %w", i.name, a.name, err)
			}
			o.Pair = i.name
			b.note("%s\n", o)
			ordeals = append(ordeals, o)
		}
	}
	return ordeals, nil
}

// suffer attacks a pair.
func (h *hostile) suffer(ctx context.Context, b *bench, p *pair, a attack, own []int) (o ordeal, err error) {
	o = ordeal{Attack: a.name, Peers: h.peers}
	session, err := openSession(ctx, p)
	if err != nil {
		return o, err
	}
	defer session.close()
	before, err := session.rate(ctx, h.calm)
	if err != nil {
		return o, err
	}
	self, err := os.Executable()
	if err != nil {
		return o, fmt.Errorf("find this program: %w", err)
	}
	flood, err := b.starter.start("attack "+a.name, filepath.Join(b.folder, "attack-"+a.name), syscall.SIGKILL, self,
		"attack", a.name, p.tls, b.folder)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, flood.stop()) }()
	if len(own) > 0 {
		if err := confine(flood.pid, own); err != nil {
			return o, err
		}
	}
	watching, stop := context.WithCancel(ctx)
	memory := make(chan int64, 1)
	go func() { memory <- p.server.mostMemory(watching) }()
	received, begun := session.flow.received.Load(), time.Now()
	h.sendPeers(ctx, b.sites[certstest.RSA], p.tls, &o)
	during := float64(session.flow.received.Load()-received) / time.Since(begun).Seconds()
	stop()
	o.Memory = <-memory
	select {
	case <-flood.done:
		return o, flood.failed("ended before its time")
	default:
	}
	if err := flood.stop(); err != nil {
		return o, err
	}
	if err := sleep(ctx, h.calm/4); err != nil { // what is left of the flood ends
		return o, err
	}
	after, err := session.rate(ctx, h.calm)
	o.Left = during / ((before + after) / 2)
	return o, err
}

// session is an open connection that carries data as fast as it can.
type session struct {
	conn *net.TCPConn
	pair *pair
	flow *flow
}

// sessionLimit ends a session that nobody ends.
const sessionLimit = 5 * time.Minute

func openSession(ctx context.Context, p *pair) (*session, error) {
	conn, err := dial(ctx, p.address, sessionLimit)
	if err != nil {
		return nil, err
	}
	s := &session{conn: conn, pair: p, flow: p.backend.newFlow()}
	if err := errors.Join(ping(conn, s.flow.number), s.flow.start(conn, false)); err != nil {
		s.close()
		return nil, err
	}
	return s, sleep(ctx, 200*time.Millisecond) // until it is under way
}

func (s *session) close() {
	_ = s.conn.Close() // in the middle of the data
	s.pair.backend.forget(s.flow)
}

// rate is how many bytes a second arrive.
func (s *session) rate(ctx context.Context, d time.Duration) (float64, error) {
	received, begun := s.flow.received.Load(), time.Now()
	if err := sleep(ctx, d); err != nil {
		return 0, err
	}
	select {
	case err := <-s.flow.ended:
		return 0, fmt.Errorf("the open session ended: %w", err)
	default:
	}
	return float64(s.flow.received.Load()-received) / time.Since(begun).Seconds(), nil
}

// sendPeers has valid peers of both kinds come, and notes how they fare.
func (h *hostile) sendPeers(ctx context.Context, s *site, address string, o *ordeal) {
	var mu sync.Mutex
	var coming sync.WaitGroup
	come := func(source string, f *fate) {
		begun := time.Now()
		err := visit(ctx, s, source, address, h.patience)
		mu.Lock()
		defer mu.Unlock()
		f.longest = max(f.longest, time.Since(begun))
		if err == nil {
			f.in++
		} else if o.Failure == nil {
			o.Failure = fmt.Errorf("a peer at %s: %w", source, err)
		}
	}
	for n := range h.peers {
		coming.Go(func() { come(knownSource, &o.Known) })
		if sleep(ctx, h.interval/2) != nil {
			break
		}
		coming.Go(func() { come(strangerSource(n), &o.Strangers) })
		if sleep(ctx, h.interval/2) != nil {
			break
		}
	}
	coming.Wait()
}

// visit is a valid peer: a handshake, and an answer of the backend.
func visit(ctx context.Context, s *site, source, address string, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dialer := tls.Dialer{
		NetDialer: &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}},
		Config:    &tls.Config{RootCAs: s.roots, ServerName: serverName, Certificates: []tls.Certificate{s.client.loaded}},
	}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is under way
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	return ping(conn, 1)
}

// mostMemory looks at the memory of a process until ctx ends. What it cannot
// see, it leaves out.
func (p *process) mostMemory(ctx context.Context) (most int64) {
	for {
		if now, err := p.memory(); err == nil {
			most = max(most, now)
		}
		if sleep(ctx, 100*time.Millisecond) != nil {
			return most
		}
	}
}

func (o ordeal) cells() []string {
	return []string{
		o.Pair, o.Attack, o.Known.of(o.Peers), o.Strangers.of(o.Peers),
		fmt.Sprintf("%.2f", o.Left), fmt.Sprintf("%.0f MB", float64(o.Memory)/1e6),
	}
}

func (f fate) of(peers int) string {
	return fmt.Sprintf("%d of %d, %.2f s", f.in, peers, f.longest.Seconds())
}

func (o ordeal) String() string { return strings.Join(o.cells(), "  ") }

// writeOrdeals writes the table.
func writeOrdeals(w io.Writer, ordeals []ordeal) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "server\tattack\tknown peers in\tnew peers in\tthroughput left\tmemory at most")
	for _, o := range ordeals {
		fmt.Fprintln(table, strings.Join(o.cells(), "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, o := range ordeals {
		if o.Failure != nil {
			fmt.Fprintf(w, "%s, %s: %v\n", o.Pair, o.Attack, o.Failure)
		}
	}
	return nil
}
