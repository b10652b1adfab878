package tunnel

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSuspects: where a handshake has failed lately, others give way before
// strangers, but after those that keep this end waiting, and have their turns
// after them; until one there is verified, or a minute is over.
func TestSuspects(t *testing.T) {
	const failing, other = "192.0.2.1/32", "198.51.100.1/32"
	all := func(*place) bool { return true }
	var h handshakes
	places := seated(&h, epoch, seat{source: other, known: false, stage: begun, waited: short},
		seat{source: failing, known: false, stage: begun, waited: 0})
	stranger, suspect := places[0], places[1]
	turn := func() *place {
		for _, p := range h.held {
			p.turn.granted = make(chan struct{})
		}
		defer func() {
			for _, p := range h.held {
				p.turn = turn{}
			}
		}()
		return h.mostDeserving()
	}
	if h.leastDeserving(epoch, all) != stranger || turn() != suspect {
		t.Fatal("the older of two equals does not give way, or the newer is not next")
	}
	h.failed(prefix(failing), epoch)
	if h.leastDeserving(epoch, all) != suspect || turn() != stranger {
		t.Error("a suspect is as good as a stranger")
	}
	if h.leastDeserving(epoch.Add(patienceTime-short), all) != stranger {
		t.Error("who keeps this end waiting does not give way before a suspect")
	}
	if late := h.add(prefix(failing), epoch.Add(suspectTime-1)); !late.suspect {
		t.Error("a new connection of a suspect is none")
	}
	if late := h.add(prefix(failing), epoch.Add(suspectTime)); late.suspect {
		t.Error("a suspect remains one for ever")
	}
	h.verified(prefix(failing), epoch)
	h.failed(prefix(failing), epoch)
	if suspect.suspect || !suspect.known || h.add(prefix(failing), epoch).suspect {
		t.Error("a known source is a suspect")
	}
	h.verified(prefix(other), epoch)
	if len(h.suspects) > 0 {
		t.Error("a verified source is still a suspect")
	}
}

// TestGoneBeforeItsTurn: nothing is computed for a peer that has not waited for
// its turn.
func TestGoneBeforeItsTurn(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for name, leave := range map[string]func(*net.TCPConn) error{
		"still there": func(*net.TCPConn) error { return nil },
		"sends more": func(c *net.TCPConn) error {
			_,
				err := c.Write([]byte("more"))
			return errors.Join(err, c.CloseWrite())
		},
		"closed": (*net.TCPConn).Close,
		"reset":  func(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) },
	} {
		t.Run(name, func(t *testing.T) {
			far, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer far.Close()
			near, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer near.Close()
			w, err := newWire(near)
			if err != nil {
				t.Fatal(err)
			}
			h := handshakes{total: 1}
			p, _, _ := h.enter(sourceOf(addressOf(near.RemoteAddr())), time.Now())
			defer h.leave(p)
			if err := leave(far.(*net.TCPConn)); err != nil {
				t.Fatal(err)
			}
			if name != "still there" { // until that has arrived
				one := make([]byte, 1)
				err := w.source.raw.Read(func(fd uintptr) bool {
					_, _, err := unix.Recvfrom(int(fd), one, unix.MSG_PEEK|unix.MSG_DONTWAIT)
					return err != unix.EAGAIN
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			var want error
			if name == "closed" || name == "reset" {
				want = io.EOF
			}
			if got := p.resume(w, true); !errors.Is(got, want) {
				t.Errorf("resume: %v, want %v", got, want)
			}
		})
	}
}

// TestSourceOf: an IPv4 address is one source however it is written, an IPv6
// address one with its /64, and what has no address none.
func TestSourceOf(t *testing.T) {
	for _, test := range []struct {
		address net.Addr
		want    string // empty: none
	}{
		{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1).To4(), Port: 1}, "192.0.2.1/32"},
		{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1).To16(), Port: 2}, "192.0.2.1/32"},
		{&net.TCPAddr{IP: net.ParseIP("2001:db8:1:2:3:4:5:6")}, "2001:db8:1:2::/64"},
		{&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0"}, "fe80::/64"},
		{&net.TCPAddr{}, ""},
		{&net.UnixAddr{Name: "/run/a.sock", Net: "unix"}, ""},
	} {
		var want netip.Prefix
		if test.want != "" {
			want = prefix(test.want)
		}
		got := sourceOf(addressOf(test.address))
		if got != want {
			t.Errorf("%v: %s, want %s", test.address, got, want)
		}
		if all := networks(got); all[0] != want || all[1].IsValid() != want.IsValid() {
			t.Errorf("%v: the networks %v", test.address, all)
		}
	}
}
