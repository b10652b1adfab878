package certs_test

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
)

// TestSetAccess: from the moment on, whoever the new rules leave out is
// refused: a peer with a ticket, one whose verdict is remembered, and one whose
// session is open.
func TestSetAccess(t *testing.T) {
	s, _, _ := newTwoSites(t)
	s.prepare(t)
	open, _ := s.wantResumed(t, true)
	for name, access := range map[string]*certs.Access{
		"another host": must(certs.NewAccess([]string{"other.test"}, nil, false)),
		"nobody":       nil,
	} {
		s.server.SetAccess(access)
		for range 2 {
			server, client := s.again(t)
			wantRefusal(t, server.err, certs.CodeNotAllowed)
			if client.err == nil {
				t.Errorf("%s: the client does not hear of it", name)
			}
		}
		_, err := s.server.Recheck(open.result, time.Now())
		wantRefusal(t, err, certs.CodeNotAllowed)

		s.server.SetAccess(must(certs.NewAccess(nil, nil, true)))
		if server, client := s.again(t); server.err != nil || client.err != nil {
			t.Errorf("after %s: server: %v; client: %v", name, server.err, client.err)
		}
		if _, err := s.server.Recheck(open.result, time.Now()); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
	}
}

// TestSetAccessWhileHandshakesRun: no handshake that begins after the change is
// judged by the old rules, whatever goes on meanwhile.
func TestSetAccessWhileHandshakesRun(t *testing.T) {
	s, _, _ := newTwoSites(t)
	yes, no := must(certs.NewAccess([]string{"client.test"}, nil, false)),
		must(certs.NewAccess([]string{"other.test"}, nil, false))
	over := make(chan struct{})
	var others sync.WaitGroup
	for range 2 {
		others.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
					s.again(t) // either verdict
				}
			}
		})
	}
	for range 20 {
		s.server.SetAccess(yes)
		if server, client := s.again(t); server.err != nil || client.err != nil {
			t.Errorf("server: %v; client: %v", server.err, client.err)
		}
		s.server.SetAccess(no)
		server, _ := s.again(t)
		wantRefusal(t, server.err, certs.CodeNotAllowed)
	}
	close(over)
	others.Wait()
}

// reading tells when its connection is read from first.
type reading struct {
	net.Conn
	once  sync.Once
	begun chan struct{}
}

func (r *reading) Read(data []byte) (int, error) {
	r.once.Do(func() { close(r.begun) })
	return r.Conn.Read(data)
}

// TestSetAccessDuringHandshake: the rules of the verdict count, not those of
// the beginning, when a peer that takes its time may have chosen them.
func TestSetAccessDuringHandshake(t *testing.T) {
	s := newSite(t)
	accepted, dialled := tcpPair(t)
	conn := &reading{Conn: accepted, begun: make(chan struct{})}
	verdict := make(chan error, 1)
	go func() {
		_, _, err := s.server.Server(t.Context(), conn)
		verdict <- err
		accepted.Close()
	}()
	<-conn.begun
	s.server.SetAccess(nil)
	s.client.Client(t.Context(), dialled, "server.test")
	wantRefusal(t, <-verdict, certs.CodeNotAllowed)
}
