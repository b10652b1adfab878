package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// packetLine joins two hosts of their own, the master's and the slave's, which
// are network namespaces, by a line of packets: it delivers each half a round
// trip later, carries no more than its rate, and drops what its queue does not
// hold, as a router does. So the kernel's TCP fills it as it would a real one.
//
// That the line may be filled at all, both hosts let their sockets have as much
// memory as a site with such a line does.
type packetLine struct {
	lineShape

	queue   time.Duration // how long a packet may wait for the ones before it
	master  *lineHost
	slave   *lineHost
	dropped atomic.Int64
	running sync.WaitGroup
}

// The addresses of the two hosts, and the greatest buffers of their sockets.
const (
	masterIP   = "10.177.8.1"
	slaveIP    = "10.177.8.2"
	lineMemory = "4096 131072 67108864"
)

// lineHost is a network namespace: the starter's thread is in it, and what that starts
// or opens.
type lineHost struct {
	*starter

	packets *os.File // what the host sends, and gets
}

// newPacketLine makes two hosts and the line between them. It needs root, and
// must be closed. congestion is the congestion control of both; empty: the
// system's.
func newPacketLine(shape lineShape, queue time.Duration, congestion string) (l *packetLine, err error) {
	l = &packetLine{lineShape: shape, queue: queue}
	mtu := 1500
	if shape.Rate > 25e6 { // fewer packets, as this program carries each; TCP does not mind
		mtu = 9000
	}
	if l.master, err = newLineHost(masterIP, mtu, congestion); err != nil {
		return nil, err
	}
	if l.slave, err = newLineHost(slaveIP, mtu, congestion); err != nil {
		return nil, errors.Join(err, l.master.close())
	}
	for _, w := range [][2]*lineHost{{l.master, l.slave}, {l.slave, l.master}} {
		packets := make(chan packet, 1<<16)
		l.running.Go(func() { l.take(w[0].packets, packets) })
		l.running.Go(func() { give(w[1].packets, packets) })
	}
	return l, nil
}

// close ends both hosts.
func (l *packetLine) close() error {
	err := errors.Join(l.master.close(), l.slave.close())
	l.running.Wait()
	return err
}

// place is where an end of a tunnel is.
func (l *packetLine) place(client bool) (ip string, s *starter) {
	if client {
		return "127.0.0.1", l.slave.starter
	}
	return masterIP, l.master.starter
}

// packet is a packet on its way.
type packet struct {
	at   time.Time
	data *[]byte
}

var packetBuffers = sync.Pool{New: func() any { b := make([]byte, 9000); return &b }}

// take puts what a host sends onto the line.
func (l *packetLine) take(from *os.File, packets chan<- packet) {
	defer close(packets)
	var w way
	for {
		data := packetBuffers.Get().(*[]byte)
		*data = (*data)[:cap(*data)]
		n, err := from.Read(*data)
		if err != nil {
			return // it is closed
		}
		*data = (*data)[:n]
		now := time.Now()
		leaves, ok := w.queued(now, n, l.Rate, l.queue)
		if ok {
			select {
			case packets <- packet{at: leaves.Add(l.RoundTrip / 2), data: data}:
				continue
			default:
			}
		}
		l.dropped.Add(1)
		packetBuffers.Put(data)
	}
}

// queued is send, unless what is before would take longer than the queue is.
func (w *way) queued(now time.Time, n int, rate float64, queue time.Duration) (leaves time.Time, ok bool) {
	if w.free.Sub(now) > queue {
		return time.Time{}, false
	}
	return w.send(now, n, rate), true
}

// give gives a host its packets, each in its time. It sleeps in the kernel,
// which is more exact than a timer.
func give(to *os.File, packets <-chan packet) {
	for p := range packets {
		if wait := time.Until(p.at); wait > 50*time.Microsecond {
			t := unix.NsecToTimespec(int64(wait))
			_ = unix.Nanosleep(&t, nil) // a signal makes a packet early
		}
		_, _ = to.Write(*p.data) // a host that has gone
		packetBuffers.Put(p.data)
	}
}

// newLineHost makes a host with an address on the line. It must be closed.
func newLineHost(ip string, mtu int, congestion string) (*lineHost, error) {
	h := &lineHost{starter: newStarter()}
	if err := h.do(func() (err error) {
		if err = syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
			return withHint(fmt.Errorf("make a network namespace: %w", err), "run it as root")
		}
		if h.packets, err = openPackets("line0"); err != nil {
			return err
		}
		for _, args := range [][]string{
			{"link", "set", "lo", "up"},
			{"address", "add", ip + "/30", "dev", "line0"},
			{"link", "set", "line0", "mtu", strconv.Itoa(mtu), "txqueuelen", "1000", "up"},
		} {
			if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil { //nolint:noctx // it does not wait
				return withHint(fmt.Errorf("ip %v: %w: %s", args, err, out), ".ci/install failover")
			}
		}
		for name, value := range map[string]string{
			"tcp_rmem": lineMemory, "tcp_wmem": lineMemory, "tcp_congestion_control": congestion,
		} {
			if value == "" {
				continue
			}
			if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0o600); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

// close ends what runs on the host.
func (h *lineHost) close() error {
	h.starter.close()
	if h.packets == nil {
		return nil
	}
	return h.packets.Close()
}

// openPackets makes an interface whose packets this program gets and gives.
func openPackets(name string) (*os.File, error) {
	const device = "/dev/net/tun"
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", device, err)
	}
	request, err := unix.NewIfreq(name)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the interface %s: %w", name, err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), device), nil
}

// dial connects from the slave's host.
func (l *packetLine) dial(ctx context.Context, address string, limit time.Duration) (conn *net.TCPConn, err error) {
	err = l.slave.do(func() (err error) {
		conn, err = dial(ctx, address, limit)
		return err
	})
	return conn, err
}
