package certs

import (
	"crypto/tls"
	"sync"
	"time"
)

// clientTickets holds the tickets that servers gave a client, each to be used
// once, so that nobody on the way can tell that two connections have the same
// end. All go when the client has another certificate to show: the servers
// know it by the old one. The zero value is ready.
type clientTickets struct {
	mu     sync.Mutex
	own    *tls.Certificate // what the servers were shown
	stacks map[ticketScope][]clientTicket
}

// ticketScope is where a ticket may be used.
type ticketScope struct {
	host    string // what the server must prove
	address string // where it is
}

// clientTicket is a ticket with the secret that belongs to it.
type clientTicket struct {
	session *tls.ClientSessionState
	proved  time.Time // when the server proved its key
}

// How many tickets are kept: the newest of each scope, and of so many scopes.
const (
	maxTickets      = 32
	maxTicketScopes = 64
)

// knows reports whether the server of a scope speaks TLS 1.3. Only then may a
// hello ask for tickets: a server of TLS 1.2 would answer with one of its own
// kind, which lets its key decrypt this connection later.
func (c *clientTickets) knows(own *tls.Certificate, scope ticketScope) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.renew(own)
	_, known := c.stacks[scope]
	return known
}

// learn notes which version the server of a scope speaks.
func (c *clientTickets) learn(own *tls.Certificate, scope ticketScope, version uint16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, known := c.stacks[scope]
	switch {
	case version < tls.VersionTLS13:
		delete(c.stacks, scope)
	case !known && sameChain(c.own, own):
		for other := range c.stacks {
			if len(c.stacks) < maxTicketScopes {
				break
			}
			delete(c.stacks, other) // any: a client has few servers
		}
		c.stacks[scope] = nil
	}
}

// take gives the newest ticket of a scope, once.
func (c *clientTickets) take(own *tls.Certificate, scope ticketScope) (clientTicket, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stack := c.stacks[scope]
	if len(stack) == 0 || !sameChain(c.own, own) {
		return clientTicket{}, false
	}
	ticket := stack[len(stack)-1]
	stack[len(stack)-1] = clientTicket{} // its secret is not to stay
	c.stacks[scope] = stack[:len(stack)-1]
	return ticket, fresh(ticket.proved, wallClock())
}

// add keeps a ticket, instead of the oldest if there are too many. The
// connection that it comes from may be older than what is known now.
func (c *clientTickets) add(own *tls.Certificate, scope ticketScope, ticket clientTicket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stack, known := c.stacks[scope]
	if !known || !sameChain(c.own, own) {
		return
	}
	if len(stack) >= maxTickets {
		copy(stack, stack[1:])
		stack = stack[:len(stack)-1]
	}
	c.stacks[scope] = append(stack, ticket)
}

// drop forgets the tickets of a scope.
func (c *clientTickets) drop(scope ticketScope) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.stacks, scope)
}

// renew drops all if the client has another certificate to show. The caller
// holds c.mu.
func (c *clientTickets) renew(own *tls.Certificate) {
	if !sameChain(c.own, own) {
		c.stacks = make(map[ticketScope][]clientTicket)
	}
	c.own = own
}

// clientSession is the session cache of one connection of a client.
type clientSession struct {
	tickets *clientTickets
	scope   ticketScope
	judge   *judge
}

// Get takes a ticket. The name that crypto/tls gives the session says less
// than the scope.
func (s *clientSession) Get(string) (*tls.ClientSessionState, bool) {
	ticket, ok := s.tickets.take(s.judge.own, s.scope)
	if !ok {
		return nil, false
	}
	s.judge.proved = ticket.proved
	return ticket.session, true
}

// Put keeps a ticket for the next connection. Without one it says that the
// handshake with the last one has failed, or that it was too old.
func (s *clientSession) Put(_ string, session *tls.ClientSessionState) {
	if session == nil {
		s.tickets.drop(s.scope)
		return
	}
	ticket, _, err := session.ResumptionState()
	if err != nil || len(ticket) > maxTicketBytes || s.judge.version != tls.VersionTLS13 {
		return
	}
	s.tickets.add(s.judge.own, s.scope, clientTicket{session: session, proved: s.judge.proved})
}
