package main

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/tunnel"
)

// demo is everything that runs, and where it is.
type demo struct {
	dir    string // all files
	binary string // gtunnel
	report *report
	master *host
	slave  *host

	lab       *servertest.Lab // of the servers; nil before they are made
	processes []*process      // the others, in the order of their start
	mu        sync.Mutex      // guards the file commands

	before tunnel.Status // the master's end of the tunnel before the first rows
}

// host is one of the two hosts.
type host struct {
	role     string // master or slave
	name     string // the name that its certificate proves
	dir      string
	certFile string
	keyFile  string
	accept   string // address of its end of the tunnel
	tls      string // of a pair: where the other host's gtunnel comes
	plain    string // of a pair: where the server finds the other host's
	port     int    // where its MariaDB server listens
	server   server // when it has been started
	gtunnel  *gtunnel
}

// newDemo makes the directory and chooses free ports. The caller closes it.
func newDemo(ctx context.Context, parent, binary string, report *report) (*demo, error) {
	dir, err := os.MkdirTemp(parent, "gtunnel-quickstart-")
	if err != nil {
		return nil, err
	}
	d := &demo{dir: dir, binary: binary, report: report}
	if err := d.lay(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return d, nil
}

func (d *demo) lay(ctx context.Context) error {
	// The user mysql must get through to its directories.
	if err := os.Chmod(d.dir, 0o711); err != nil {
		return err
	}
	ports, err := freePorts(ctx, 6)
	if err != nil {
		return err
	}
	d.master = d.newHost("master", ports[0], ports[1])
	d.slave = d.newHost("slave", ports[2], ports[3])
	d.master.tls, d.master.plain = d.master.accept, address(ports[4])
	d.slave.tls, d.slave.plain = address(ports[5]), d.slave.accept
	for _, h := range []*host{d.master, d.slave} {
		if err := os.Mkdir(h.dir, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) newHost(role string, databasePort, tunnelPort int) *host {
	dir := filepath.Join(d.dir, role)
	return &host{
		role: role, name: role + ".example.org", dir: dir,
		accept: address(tunnelPort), port: databasePort,
		gtunnel: &gtunnel{admin: "unix:" + filepath.Join(dir, "gtunnel.sock")},
	}
}

func (d *demo) capath() string { return filepath.Join(d.dir, "certificates") }

// close stops every process and removes the directory.
func (d *demo) close(ctx context.Context) error {
	var group sync.WaitGroup
	for _, p := range d.processes {
		group.Go(func() { p.stop(ctx) })
	}
	var err error
	if d.lab != nil {
		err = d.lab.Close()
	}
	group.Wait()
	return errors.Join(err, os.RemoveAll(d.dir))
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// freePorts finds n ports of 127.0.0.1 that nobody uses.
func freePorts(ctx context.Context, n int) ([]int, error) {
	var config net.ListenConfig
	var ports []int
	for range n {
		listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		// Open until the others are chosen, so that all differ.
		defer func() { _ = listener.Close() }()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
