package tunnel

import (
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// leg is one side of a session.
type leg struct {
	name   string       // for reasons: peer, target, local side
	stream stream       // where data is read and written
	socket net.Conn     // what lies under the stream
	ended  *atomic.Bool // this end has sent its end there
}

// peerSide is the name of the leg to the peer.
const peerSide = "peer"

// half carries bytes one way.
type half struct {
	from, to leg
	carried  *atomic.Uint64                 // bytes of this session
	total    *atomic.Uint64                 // bytes of all sessions of the tunnel
	inspect  func(data []byte) (stop error) // sees data before it is written; may be nil
	first    func()                         // called before the first bytes are written; may be nil
	yielded  uint64                         // carried at the last turn of others
}

// relay carries bytes both ways until both sides have ended, or one has
// failed and both are reset. It begins two goroutines of group and returns:
// the stack of the caller, grown in the handshake, need not live as long as
// the session. The last goroutine to end ends the session.
func (s *session) relay(group *sync.WaitGroup) {
	var left atomic.Int32
	left.Store(2)
	begin := func(h half) {
		group.Go(func() {
			s.carry(&h)
			if left.Add(-1) == 0 {
				s.finish()
				s.logClosed()
				s.tunnel.sessions.remove(s)
			}
		})
	}
	begin(half{
		from: s.peer, to: s.plain, carried: &s.fromPeer, total: &s.tunnel.fromPeer,
		first: s.onFirstByte,
	})
	begin(half{
		from: s.plain, to: s.peer, carried: &s.toPeer, total: &s.tunnel.toPeer,
		inspect: s.inspect,
	})
}

// carry moves bytes until h.from ends, and then ends h.to in the same
// direction. A failure on either side resets both: it never looks like an
// end.
func (s *session) carry(h *half) {
	for {
		data, err := h.from.stream.receive()
		if data != nil && !s.pass(h, data) {
			return
		}
		if err == nil {
			h.yield()
			continue
		}
		if err == io.EOF { //nolint:errorlint // a wrapped one is no orderly end
			s.passEnd(h)
		} else {
			s.readFailed(h, err)
		}
		return
	}
}

// longTurn is after how many bytes a half lets others have a turn.
const longTurn = 256 << 10

// yield lets other goroutines run after a long turn. The scheduler, which does
// not hear of the system calls here, would leave this one alone for ten
// milliseconds, and a handshake beside many busy sessions would take seconds.
func (h *half) yield() {
	if carried := h.carried.Load(); carried-h.yielded >= longTurn {
		h.yielded = carried
		runtime.Gosched()
	}
}

// pass writes what was received and releases it. It reports whether the half can
// go on.
func (s *session) pass(h *half, data *buffer) bool {
	s.touch()
	if h.inspect != nil {
		if stop := h.inspect(data.data()); stop != nil {
			data.release()
			s.abort(closedNotPlain, stop.Error())
			return false
		}
	}
	if h.first != nil && h.carried.Load() == 0 {
		h.first()
	}
	n := uint64(len(data.data()))
	h.carried.Add(n) // before they can be seen to have arrived
	h.total.Add(n)
	if err := h.to.stream.send(data); err != nil {
		s.writeFailed(h, err)
		return false
	}
	s.touch()
	return true
}

// passEnd hands the end of h.from on to h.to.
//
// A reset reads like an end if a write of the other half has taken the error
// first, which the kernel gives only once; isReset tells them apart. It is asked
// before ended is: the other half may end the connection in order meanwhile,
// and says so first.
func (s *session) passEnd(h *half) {
	if s.failing.Load() {
		s.abort("", "") // h.to broke before: what ended here may be cut off
		return
	}
	if isReset(h.from.socket) && !h.from.ended.Load() {
		s.readFailed(h, syscall.ECONNRESET)
		return
	}
	s.touch()
	s.halfClosed.Store(true)
	h.to.ended.Store(true)
	if err := h.to.stream.CloseWrite(); err != nil {
		s.writeFailed(h, err)
	}
}

// readFailed resets both sides.
func (s *session) readFailed(h *half, err error) {
	if s.onReadError != nil {
		s.onReadError(h.from, err)
	}
	s.abort(failure(h.from, err))
}

// lastWords is how long a side that takes no more data may still say
// something before both sides are reset.
const lastWords = 2 * time.Second

// writeFailed ends one half and lets the other bring what h.to said before it
// broke: a MySQL server sends its error message and closes, and that message
// would be lost if both sides were reset at once.
func (s *session) writeFailed(h *half, err error) {
	code, reason := failure(h.to, err)
	s.fail(code, reason, lastWords)
}

// failure says in a word and in plain words what broke.
func failure(side leg, err error) (code closeCode, reason string) {
	codes := plainCodes
	if side.name == peerSide {
		codes = peerCodes
	}
	switch {
	case errors.Is(err, errCutOff), errors.Is(err, io.ErrUnexpectedEOF):
		return codes.cutOff, side.name + " was cut off: " + errCutOff.Error()
	case isResetError(err):
		return codes.reset, side.name + " reset the connection"
	case errors.Is(err, syscall.ETIMEDOUT):
		return codes.silent, side.name + " no longer answers: keepalive or TCP_USER_TIMEOUT ran out"
	default:
		return codes.failed, side.name + " failed: " + err.Error()
	}
}

// isResetError reports whether err is the ordinary way in which programs drop
// connections.
func isResetError(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ENOTCONN)
}
