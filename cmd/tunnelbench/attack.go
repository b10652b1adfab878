package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// attack is a flood of connections to a server by somebody without a
// certificate that the server accepts.
type attack struct {
	name    string
	about   string
	conns   int           // at once
	renewed time.Duration // after which all are closed, and opened again
	again   bool          // so is each at once that the server closes
	source  func(n int) string
	act     func(ctx context.Context, conn *net.TCPConn, a *attacker) error
}

// The addresses that a flood comes from, all of loopback. Valid peers come from
// knownSource, as the open session does, and from addresses that the server has
// never seen, strangerSource.
const knownSource = "127.0.0.1"

func strangerSource(n int) string { return fmt.Sprintf("127.77.%d.1", n) }

func fourSources(n int) string { return fmt.Sprintf("127.0.0.%d", 2+n%4) }

func ownSource(int) string { return knownSource }

// scatteredSources are thousands of addresses in many networks.
func scatteredSources(n int) string {
	return fmt.Sprintf("127.%d.%d.%d", 100+n%100, n/100%200, 1+n*7%250)
}

func allAttacks() []attack {
	const wave = 10 * time.Second
	hello := func(ctx context.Context, conn *net.TCPConn, a *attacker) error { return send(ctx, conn, a.hello) }
	return []attack{
		{
			name: "four", about: "250 silent connections from each of 4 addresses, renewed each 10 s", conns: 1000,
			renewed: wave, again: false, source: fourSources, act: stall,
		},
		{
			name: "own", about: "250 silent connections from the peer's own address, renewed each 10 s", conns: 250,
			renewed: wave, again: false, source: ownSource, act: stall,
		},
		{
			name: "churn", about: "silent connections from 4 addresses, renewed each 0.5 s", conns: 1000, renewed: wave / 20,
			again: false, source: fourSources, act: stall,
		},
		{
			name: "byte", about: "1,000 connections from 4 addresses that send one byte", conns: 1000, renewed: wave,
			again: false, source: fourSources,
			act: func(ctx context.Context, conn *net.TCPConn, a *attacker) error {
				return send(ctx, conn, a.hello[:1])
			},
		},
		{
			name: "hellos", about: "2,000 whole ClientHellos from 2,000 addresses, renewed each 10 s", conns: 2000,
			renewed: wave, again: false, source: scatteredSources,
			act: hello,
		},
		{
			name: "storm", about: "1,000 whole ClientHellos from 1,000 addresses, renewed each 0.5 s", conns: 1000,
			renewed: wave / 20, again: false,
			source: scatteredSources, act: hello,
		},
		{
			name: "unread", about: "1,000 whole ClientHellos from 1,000 addresses that read nothing", conns: 1000, renewed: wave,
			again: false, source: scatteredSources,
			act: func(ctx context.Context, conn *net.TCPConn, a *attacker) error {
				return errors.Join(conn.SetReadBuffer(1), send(ctx, conn, a.hello))
			},
		},
		{
			name: "loris", about: "a ClientHello, one byte a second, from 1,000 addresses", conns: 1000, renewed: wave,
			again: false, source: scatteredSources, act: drip,
		},
		{
			name: "chains", about: "240 handshakes at a time with 19 certificates of RSA-8192 and large exponents", conns: 240,
			renewed: wave, again: true,
			source: scatteredSources, act: func(ctx context.Context, conn *net.TCPConn, a *attacker) error {
				return a.shakeHands(ctx, conn, a.costly)
			},
		},
		{
			name: "half", about: "500 certificate messages of 250 KB that stop before their end", conns: 500, renewed: wave,
			again: true, source: scatteredSources,
			act: func(ctx context.Context, conn *net.TCPConn, a *attacker) error {
				return a.shakeHands(ctx, &stoppingConn{TCPConn: conn, ctx: ctx, left: 240 << 10}, a.bulky)
			},
		},
	}
}

// stall waits until the flood is renewed.
func stall(ctx context.Context, _ *net.TCPConn, _ *attacker) error {
	<-ctx.Done()
	return nil
}

// send sends and waits.
func send(ctx context.Context, conn *net.TCPConn, data []byte) error {
	if _, err := conn.Write(data); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// drip sends a ClientHello so slowly that it never ends.
func drip(ctx context.Context, conn *net.TCPConn, a *attacker) error {
	for _, b := range a.hello {
		if _, err := conn.Write([]byte{b}); err != nil {
			return err
		}
		if err := sleep(ctx, time.Second); err != nil {
			return nil //nolint:nilerr // the flood is renewed
		}
	}
	return nil
}

// attacker is what a flood sends.
type attacker struct {
	hello         []byte          // a ClientHello with its record
	costly, bulky tls.Certificate // hostile chains
}

// shakeHands goes as far as the server lets it, and waits for the end of the
// connection.
func (a *attacker) shakeHands(ctx context.Context, conn net.Conn, certificate tls.Certificate) error {
	// #nosec G402 -- an attacker does not care
	config := &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{certificate}}
	client := tls.Client(conn, config)
	if err := client.HandshakeContext(ctx); err != nil {
		return err
	}
	_, err := client.Read(make([]byte, 1)) // in TLS 1.3 the server refuses later
	return err
}

// stoppingConn sends so many bytes, and no more until ctx ends.
type stoppingConn struct {
	*net.TCPConn
	ctx  context.Context //nolint:containedctx // the net.Conn of one handshake
	left int
}

func (c *stoppingConn) Write(data []byte) (int, error) {
	n, err := c.TCPConn.Write(data[:min(len(data), c.left)])
	if c.left -= n; err == nil && n < len(data) {
		<-c.ctx.Done()
		err = net.ErrClosed
	}
	return n, err
}

// captureHello makes the ClientHello of crypto/tls.
func captureHello(ctx context.Context) ([]byte, error) {
	var captured recordingConn
	// #nosec G402 -- nobody answers
	err := tls.Client(&captured, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx)
	if len(captured.sent) == 0 {
		return nil, fmt.Errorf("make a ClientHello: %w", err)
	}
	return captured.sent, nil
}

// recordingConn keeps what is written to it; its end is reached already.
type recordingConn struct {
	net.Conn
	sent []byte
}

func (c *recordingConn) Read([]byte) (int, error) { return 0, io.EOF }

func (c *recordingConn) Write(data []byte) (int, error) {
	c.sent = append(c.sent, data...)
	return len(data), nil
}

// run keeps a flood up until ctx ends. That the server closes connections is
// what a flood expects; they are renewed with the others.
func (a *attacker) run(ctx context.Context, flood attack, address string) error {
	for ctx.Err() == nil {
		wave, cancel := context.WithTimeout(ctx, flood.renewed)
		var running sync.WaitGroup
		for n := range flood.conns {
			running.Go(func() {
				for again := true; again && wave.Err() == nil; again = flood.again {
					_ = a.connect(wave, flood, flood.source(n), address)
				}
			})
			if n%20 == 19 && sleep(wave, time.Millisecond) != nil { // 20,000 a second
				break
			}
		}
		<-wave.Done()
		running.Wait()
		cancel()
	}
	return nil
}

func (a *attacker) connect(ctx context.Context, flood attack, source, address string) error {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()                                          //nolint:errcheck // without a word
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // ends what act waits for
	return flood.act(ctx, conn.(*net.TCPConn), a)
}

// runAttack is the process of a flood: tunnelbench attack NAME ADDRESS CHAINS.
// It ends with ctx.
func runAttack(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return &usageError{error: errors.New("usage: tunnelbench attack NAME ADDRESS CHAINS")}
	}
	floods, err := selectAttacks(args[:1])
	if err != nil {
		return &usageError{error: err}
	}
	host, _, err := net.SplitHostPort(args[1])
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return &usageError{error: fmt.Errorf("%s is no address of loopback, and nothing else is attacked", args[1])}
	}
	if err := raiseFileLimit(uint64(floods[0].conns) + 100); err != nil { //nolint:gosec // thousands
		return err
	}
	a := new(attacker)
	if a.hello, err = captureHello(ctx); err != nil {
		return err
	}
	if a.costly, err = loadHostile(args[2], "costly"); err != nil {
		return err
	}
	if a.bulky, err = loadHostile(args[2], "bulky"); err != nil {
		return err
	}
	return a.run(ctx, floods[0], args[1])
}

// processors are those that this process may use.
func processors() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("the processors of this process: %w", err)
	}
	var list []int
	for cpu := range 8 * len(set) * 8 {
		if set.IsSet(cpu) {
			list = append(list, cpu)
		}
	}
	return list, nil
}

// confine lets every thread of a process use some processors only; what those
// start inherits it.
func confine(pid int, cpus []int) error {
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return fmt.Errorf("the threads of process %d: %w", pid, err)
	}
	for _, task := range tasks {
		var thread int
		if _, err := fmt.Sscan(task.Name(), &thread); err != nil {
			return fmt.Errorf("the threads of process %d: %w", pid, err)
		}
		if err := unix.SchedSetaffinity(thread, &set); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("confine process %d: %w", pid, err)
		}
	}
	return nil
}
