package main

import (
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// adminConnections is how many connections an admin address has at once. Any user of this host
// can connect to a TCP port, and could take all files of the process, or all places: so whoever
// comes finds one, and another connection gives way.
const adminConnections = 50

// silentTime is how long who connects may take to ask something before its connection is one
// of those that give way first.
const silentTime = time.Second

// adminPlaces are the open connections of an admin address. Its methods may be called
// concurrently, and its zero value is ready.
type adminPlaces struct {
	mu    sync.Mutex
	conns []*placedConn
}

// placedConn is a connection that has a place until it is closed.
type placedConn struct {
	net.Conn

	places *adminPlaces
	state  http.ConnState // guarded by places.mu, as is since
	since  time.Time      // when the state began
}

// Close closes the connection, and gives its place back.
func (c *placedConn) Close() error {
	c.places.mu.Lock()
	c.places.remove(c)
	c.places.mu.Unlock()
	return c.Conn.Close()
}

// placesListener gives each connection that it accepts a place.
type placesListener struct {
	net.Listener

	places *adminPlaces
}

// Accept waits for a connection.
func (l placesListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.places.take(conn, time.Now()), nil
}

// take gives a connection a place at a time, if need be that of another one, which is closed.
func (p *adminPlaces) take(conn net.Conn, now time.Time) *placedConn {
	c := &placedConn{Conn: conn, places: p, state: http.StateNew, since: now}
	var loser *placedConn
	p.mu.Lock()
	if len(p.conns) >= adminConnections {
		loser = p.loser(now)
		p.remove(loser)
	}
	p.conns = append(p.conns, c)
	p.mu.Unlock()
	if loser != nil {
		_ = loser.Conn.Close() // its handler, if any, ends by that
	}
	return c
}

// loser is the connection that gives way at a time: of those that ask nothing the one that has
// not for the longest time; if there is none, the one whose answer has taken the longest, such
// as the stream of a page, which comes back. Whoever has just come does not.
func (p *adminPlaces) loser(now time.Time) *placedConn {
	asksNothing := func(c *placedConn) bool {
		return c.state == http.StateIdle || c.state == http.StateNew && now.Sub(c.since) > silentTime
	}
	return slices.MinFunc(p.conns, func(a, b *placedConn) int {
		if idle := asksNothing(a); idle != asksNothing(b) {
			return map[bool]int{true: -1, false: 1}[idle]
		}
		return a.since.Compare(b.since)
	})
}

// remove takes a place away; p.mu is held.
func (p *adminPlaces) remove(c *placedConn) {
	p.conns = slices.DeleteFunc(p.conns, func(other *placedConn) bool { return other == c })
}

// noteConnState notes what an http.Server does with a connection.
func noteConnState(conn net.Conn, state http.ConnState) {
	if c, ok := conn.(*placedConn); ok {
		c.places.mu.Lock()
		defer c.places.mu.Unlock()
		c.state, c.since = state, time.Now()
	}
}
