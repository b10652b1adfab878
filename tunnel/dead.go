package tunnel

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

// deadTime is how long what did not answer is tried last. Then one dial tries
// it in its place again.
const deadTime = time.Minute

// dead are the targets that did not answer, and the addresses of targets that
// did not while another of the same name did. Every dial would wait for them
// for its share of the time before it tried the next. The zero value is ready.
type dead struct {
	mu    sync.Mutex
	since map[string]time.Time // by target or IP address with its port
}

// passOver reports whether to try something last. When its time is over, it
// says no to one caller, and yes again to others until note says how that went.
func (d *dead) passOver(name string, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	since, isDead := d.since[name]
	if isDead && now.Sub(since) >= deadTime {
		d.since[name] = now
		return false
	}
	return isDead
}

// note remembers who did not answer, and forgets who did.
func (d *dead) note(silent []string, alive string, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, since := range d.since {
		if now.Sub(since) >= 2*deadTime { // nobody asked: perhaps the name has moved
			delete(d.since, name)
		}
	}
	for _, name := range silent {
		if d.since == nil {
			d.since = make(map[string]time.Time)
		}
		d.since[name] = now
	}
	delete(d.since, alive)
}

// isEmpty reports whether all answer.
func (d *dead) isEmpty() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.since) == 0
}

// inOrder gives the targets in the order to try them.
func (d *dead) inOrder(targets []Address, now time.Time) []Address {
	var first, last []Address
	for _, target := range targets {
		if len(targets) > 1 && d.passOver(target.String(), now) {
			last = append(last, target)
		} else {
			first = append(first, target)
		}
	}
	return append(first, last...)
}

var errDeadLately = errors.New("this address did not answer lately")

// dial is dialer.DialContext, at first without the addresses that are dead. If
// none of the others answers in half of the time, all have what is left of it.
// Where no name has a dead address there are no halves.
func (d *dead) dial(ctx context.Context, dialer net.Dialer, network, address string) (net.Conn, error) {
	begun, whole := time.Now(), dialer.Timeout
	if !d.isEmpty() {
		dialer.Timeout = whole / 2
	}
	var mu sync.Mutex // two families of addresses are tried side by side
	var tried []string
	passedOver := false
	dialer.Control = func(_, address string, _ syscall.RawConn) error {
		mu.Lock()
		defer mu.Unlock()
		if d.passOver(address, time.Now()) {
			passedOver = true
			return errDeadLately
		}
		tried = append(tried, address)
		return nil
	}
	conn, err := dialer.DialContext(ctx, network, address)
	mu.Lock()
	defer mu.Unlock()
	failed, isNet := errors.AsType[net.Error](err)
	if err != nil && ctx.Err() == nil && (passedOver || dialer.Timeout < whole && isNet && failed.Timeout()) {
		dialer.Control, dialer.Timeout = nil, max(whole-time.Since(begun), 1) // 0 would be for ever
		conn, err = dialer.DialContext(ctx, network, address)
	}
	if err == nil {
		alive := conn.RemoteAddr().String()
		silent := slices.DeleteFunc(slices.Clone(tried), func(address string) bool { return address == alive })
		d.note(silent, alive, time.Now())
	}
	return conn, err
}
