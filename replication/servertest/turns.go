package servertest

import (
	"encoding/binary"
	"net"
	"strings"
	"sync"
)

// Turns is a relay to a server that counts how often its clients wait for an answer: what
// a long link makes of that is a round trip each. A login counts, too: the server begins
// it with its greeting, and each further packet of it that is answered is a turn.
type Turns struct {
	Address string // where it listens: 127.0.0.1 and a port

	listener net.Listener
	to       string
	running  sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]bool
	logins int
	asked  []string
}

// CountTurns begins to count in front of an address. The caller closes it.
func CountTurns(address string) (*Turns, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return nil, err
	}
	t := &Turns{Address: listener.Addr().String(), listener: listener, to: address, conns: map[net.Conn]bool{}}
	t.running.Go(t.accept)
	return t, nil
}

// Close ends the relay and what goes through it.
func (t *Turns) Close() error {
	err := t.listener.Close()
	t.mu.Lock()
	for conn := range t.conns {
		_ = conn.Close() // which ends its reader
	}
	t.mu.Unlock()
	t.running.Wait()
	return err
}

// Take gives what was asked since it was called last, in order: of statements their text,
// of all else of the protocol what it is; and how many logins began since.
func (t *Turns) Take() (asked []string, logins int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	asked, logins = t.asked, t.logins
	t.asked, t.logins = nil, 0
	return asked, logins
}

// accept takes connections until the relay is closed.
func (t *Turns) accept() {
	for {
		client, err := t.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", t.to) //nolint:noctx // of this host
		if err != nil {
			_ = client.Close()
			continue
		}
		t.mu.Lock()
		t.logins++
		t.conns[client], t.conns[server] = true, true
		t.mu.Unlock()
		t.running.Go(func() { t.relay(client, server) })
	}
}

// relay relays one connection.
func (t *Turns) relay(client, server net.Conn) {
	var link turn
	pass := func(to, from net.Conn, note func([]byte)) {
		buffer := make([]byte, 64<<10)
		for {
			n, err := from.Read(buffer)
			if n > 0 {
				note(buffer[:n])
				if _, err = to.Write(buffer[:n]); err != nil {
					break
				}
			}
			if err != nil {
				break
			}
		}
		_, _ = client.Close(), server.Close() // the other direction has nothing to say any more
	}
	var back sync.WaitGroup
	back.Go(func() { pass(client, server, func([]byte) { link.answer(t) }) })
	pass(server, client, link.ask)
	back.Wait()
	t.mu.Lock()
	delete(t.conns, client)
	delete(t.conns, server)
	t.mu.Unlock()
}

// turn is what a client has asked, and the server not yet answered.
type turn struct {
	mu    sync.Mutex
	began bool // the server has greeted
	asked []byte
}

// ask notes bytes of the client.
func (l *turn) ask(data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, data...)
}

// answer notes that the server answers: that is the end of a turn if it was asked.
func (l *turn) answer(t *Turns) {
	l.mu.Lock()
	asked, greets := l.asked, !l.began
	l.asked, l.began = nil, true
	l.mu.Unlock()
	if len(asked) == 0 && !greets {
		return // more of an answer
	}
	what := describe(asked)
	if greets {
		what = "(the greeting)"
	}
	t.mu.Lock()
	t.asked = append(t.asked, what)
	t.mu.Unlock()
}

// describe says what a packet of a client is, and those after it. A statement that
// nothing answers, as the end of a prepared one, may stand before others.
func describe(packets []byte) string {
	const head, query, prepare = 4, 0x03, 0x16
	var said []string
	for len(packets) > head {
		length := int(binary.LittleEndian.Uint32(packets) & 0xffffff)
		number, packet := packets[3], packets[head:min(head+length, len(packets))]
		packets = packets[head+len(packet):]
		switch {
		case number > 0 || len(packet) == 0:
			said = append(said, "(login)")
		case packet[0] == query:
			said = append(said, string(packet[1:]))
		case packet[0] == prepare:
			said = append(said, "(prepare) "+string(packet[1:]))
		default:
			said = append(said, "(command)")
		}
	}
	return strings.Join(said, " + ")
}
