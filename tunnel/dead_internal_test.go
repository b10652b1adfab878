package tunnel

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// resolver gives addresses for every name, by a DNS server of its own.
func resolver(t *testing.T, addresses ...net.IP) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		query := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(query)
			if err != nil {
				return
			}
			_, _ = server.WriteTo(answer(query[:n], addresses), from)
		}
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// answer is a DNS answer (RFC 1035, section 4) with addresses of IPv4.
func answer(query []byte, addresses []net.IP) []byte {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	end++ // the end of the name; its type and class follow
	reply := slices.Clone(query[:end+4])
	clear(reply[6:12])
	binary.BigEndian.PutUint16(reply[2:], 0x8180) // a recursive answer without an error
	if binary.BigEndian.Uint16(query[end:]) != 1 {
		return reply // none of another type
	}
	binary.BigEndian.PutUint16(reply[6:], uint16(len(addresses)))
	for _, address := range addresses {
		reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4) // the name, A, IN, no time to live
		reply = append(reply, address.To4()...)
	}
	return reply
}

// TestDeadAddress: the first address of a name does not answer, and only one
// dial waits for it.
func TestDeadAddress(t *testing.T) {
	t.Parallel()
	alive, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	_, port, _ := net.SplitHostPort(alive.Addr().String())
	silent, _ := SilentListener(t, "127.0.0.9:"+port)
	var d dead
	names := resolver(t, net.IPv4(127, 0, 0, 9), net.IPv4(127, 0, 0, 1))
	open := func(timeout time.Duration) time.Duration {
		t.Helper()
		begun := time.Now()
		conn, err := d.dial(t.Context(), net.Dialer{Timeout: timeout, Resolver: names}, "tcp",
			net.JoinHostPort("db1.test", port))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if conn.RemoteAddr().String() != alive.Addr().String() {
			t.Errorf("connected to %s", conn.RemoteAddr())
		}
		return time.Since(begun)
	}
	open(5 * time.Second)
	if !d.passOver(silent.Addr().String(), time.Now()) || d.passOver(alive.Addr().String(), time.Now()) {
		t.Fatal("the silent address alone is remembered")
	}
	if took := open(2 * time.Minute); took >= 30*time.Second { // its share
		t.Errorf("the second dial waits for the dead address, too: %s", took)
	}
	if !d.passOver(silent.Addr().String(), time.Now()) {
		t.Error("the dead address is forgotten by a dial that passes it over")
	}

	// Where no other address answers, the dead one is tried again.
	d.note([]string{alive.Addr().String()}, "", time.Now())
	open(5 * time.Second)
	if d.passOver(alive.Addr().String(), time.Now()) {
		t.Error("an address that answers is still dead")
	}
}

// TestDeadAddressIsBack: where the other address of a name is silent, one that
// was dead has half of the time to show that it is there again.
func TestDeadAddressIsBack(t *testing.T) {
	t.Parallel()
	back, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	_, port, _ := net.SplitHostPort(back.Addr().String())
	SilentListener(t, "127.0.0.8:"+port)
	var d dead
	d.note([]string{back.Addr().String()}, "", time.Now())
	dialer := net.Dialer{Timeout: 8 * time.Second, Resolver: resolver(t, net.IPv4(127, 0, 0, 1), net.IPv4(127, 0, 0, 8))}
	conn, err := d.dial(t.Context(), dialer, "tcp", net.JoinHostPort("db1.test", port))
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if !d.isEmpty() && d.passOver(back.Addr().String(), time.Now()) {
		t.Error("an address that answers is still dead")
	}
}

// TestDeadOfOthers: an address that was dead takes no time from the dials of
// other names.
func TestDeadOfOthers(t *testing.T) {
	t.Parallel()
	silent, _ := SilentListener(t, "127.0.0.1:0")
	var d dead
	d.note([]string{"192.0.2.1:3306"}, "", time.Now())
	const timeout = 2 * time.Second
	begun := time.Now()
	if _, err := d.dial(t.Context(), net.Dialer{Timeout: timeout}, "tcp", silent.Addr().String()); err == nil {
		t.Fatal("a silent address answers")
	}
	if took := time.Since(begun); took < timeout*9/10 {
		t.Errorf("the dial has %s of %s", took, timeout)
	}
}

// TestRefusalIsNoSilence: an address that refuses is not asked again in the
// rest of the time, though others are dead.
func TestRefusalIsNoSilence(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	listener.Close()
	var d dead
	d.note([]string{"192.0.2.1:3306"}, "", time.Now())
	names := resolver(t, net.IPv4(127, 0, 0, 1))
	ask, asked := names.Dial, 0
	var mu sync.Mutex
	names.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		return ask(ctx, network, address)
	}
	open := func() (lookups int, err error) {
		mu.Lock()
		asked = 0
		mu.Unlock()
		conn, err := d.dial(t.Context(), net.Dialer{Timeout: time.Minute, Resolver: names}, "tcp4",
			net.JoinHostPort("db1.test", port))
		if err == nil {
			conn.Close()
		}
		mu.Lock()
		defer mu.Unlock()
		return asked, err
	}
	once, err := open()
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("got %v", err)
	}
	d = dead{} // where nothing is dead there is one dial
	if want, _ := open(); once != want {
		t.Errorf("the name is looked up %d times beside a dead address, and %d times without", once, want)
	}
}

func TestDeadTargets(t *testing.T) {
	var d dead
	targets := []Address{
		{Network: "tcp", Host: "a", Port: "1"},
		{Network: "tcp", Host: "b", Port: "1"},
		{Network: "tcp", Host: "c", Port: "1"},
	}
	want := func(now time.Time, order ...int) {
		t.Helper()
		for i, target := range d.inOrder(targets, now) {
			if target != targets[order[i]] {
				t.Errorf("%s is number %d, want %s", target, i, targets[order[i]])
			}
		}
	}
	want(epoch, 0, 1, 2)
	d.note([]string{"a:1"}, "", epoch)
	want(epoch, 1, 2, 0)
	want(epoch.Add(deadTime), 0, 1, 2) // one tries it again
	want(epoch.Add(deadTime), 1, 2, 0) // and others do not wait for that
	d.note(nil, "a:1", epoch.Add(deadTime))
	want(epoch.Add(deadTime), 0, 1, 2)
	d.note([]string{"a:1"}, "", epoch)
	d.note(nil, "b:1", epoch.Add(2*deadTime))
	if !d.isEmpty() {
		t.Error("what nobody asks for is remembered for ever")
	}
}
