package server

import (
	"context"
	"errors"
	"net"
)

// Way is how far a login has come on its way to a server, by its error.
type Way string

// How far it has come.
const (
	WayUnknown  Way = ""                // it was not tried
	WayClosed   Way = "nothing-listens" // at the address
	WayCut      Way = "far-end-closes"  // the connection, before the server says anything
	WaySilent   Way = "no-answer"       // though something takes the connection
	WayRefused  Way = "login-refused"   // the server answers
	WayAnswered Way = "answers"
)

// WayOf tells how far a login has come that ended with an error, or nil.
func WayOf(err error) Way {
	dial, _ := errors.AsType[*net.OpError](err)
	switch {
	case err == nil:
		return WayAnswered
	case ErrorNumber(err) != 0:
		return WayRefused
	case dial != nil && dial.Op == "dial":
		return WayClosed
	case errors.Is(err, context.DeadlineExceeded):
		return WaySilent
	case isBroken(err):
		return WayCut
	default:
		return WayUnknown
	}
}

// String is the way through a tunnel in words.
func (w Way) String() string {
	switch w {
	case WayClosed:
		return "nothing listens at its local end"
	case WayCut:
		return "it takes the connection, and its far end closes that: " +
			"the other end of the tunnel is not there or refuses it, or MySQL there does not run"
	case WaySilent:
		return "it takes the connection, and nothing answers from its far end"
	case WayRefused:
		return "it works, and MySQL on the master answers, and refuses this login"
	case WayAnswered:
		return "it works, and MySQL on the master answers"
	case WayUnknown:
	}
	return "not tried: no login for the master is known here"
}
