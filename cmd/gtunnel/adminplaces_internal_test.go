package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/tunnel"
)

// TestAdminPlaces: whoever comes finds a place. First those give way that ask nothing, then
// those whose answer takes the longest, and never who has just come.
func TestAdminPlaces(t *testing.T) {
	places, now := new(adminPlaces), time.Now()
	far := make(map[*placedConn]net.Conn)
	come := func(state http.ConnState, ago time.Duration) *placedConn {
		near, other := net.Pipe()
		t.Cleanup(func() { near.Close(); other.Close() })
		c := places.take(near, now)
		c.state, c.since = state, now.Add(-ago)
		far[c] = other
		return c
	}
	wantGone := func(c *placedConn, who string) {
		t.Helper()
		far[c].SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := far[c].Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("%s has not given way: %v", who, err)
		}
		if err := c.Close(); len(places.conns) != adminConnections {
			t.Errorf("%d places are taken after %s was closed twice (%v)", len(places.conns), who, err)
		}
	}
	stream := come(http.StateActive, time.Hour)
	silent := come(http.StateNew, 2*time.Second)
	idle := come(http.StateIdle, 3*time.Second)
	brief := come(http.StateIdle, time.Millisecond)
	for range adminConnections - len(far) {
		come(http.StateActive, time.Minute)
	}
	for _, next := range []struct {
		who  string
		conn *placedConn
	}{{"who is idle", idle}, {"who is silent", silent}, {"who is idle since a moment", brief}, {"the stream", stream}} {
		come(http.StateNew, silentTime/2) // and none of these
		wantGone(next.conn, next.who)
	}
	if come(http.StateActive, 0).Close(); len(places.conns) != adminConnections-1 {
		t.Errorf("%d places are taken after one was given back", len(places.conns))
	}
}

// TestAdminClosesWhileFull: connections that are being answered, as many as there are places,
// hold up neither who comes nor the end.
func TestAdminClosesWhileFull(t *testing.T) {
	listener, err := listenAdmin(t.Context(), tunnel.Address{Network: "tcp", Host: "127.0.0.1", Port: "0"})
	if err != nil {
		t.Fatal(err)
	}
	answering := make(chan bool)
	admin := newAdminServer([]net.Listener{listener}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		answering <- true
		<-r.Context().Done()
	}), zap.NewNop())
	go admin.serve()
	for range adminConnections + 10 {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		<-answering
	}
	admin.close()
	if admin.err != nil {
		t.Error(admin.err)
	}
}
