package tunnel

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// bufferSize is how much one direction of a connection holds at most, besides
// the sockets' own buffers: a reader that is slow stops its writer.
const bufferSize = 32 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// stream is what both a TLS connection and a plain one can do.
type stream interface {
	io.Reader
	io.Writer
	CloseWrite() error
}

// leg is one side of a session.
type leg struct {
	name   string       // for reasons: peer, target, local side
	stream stream       // where data is read and written
	socket net.Conn     // what lies under the stream
	ended  *atomic.Bool // this end has sent its end there
}

// half carries bytes one way.
type half struct {
	from, to leg
	carried  *atomic.Uint64                 // bytes of this session
	total    *atomic.Uint64                 // bytes of all sessions of the tunnel
	inspect  func(data []byte) (stop error) // sees data before it is written; may be nil
	first    func()                         // called before the first bytes are written; may be nil
}

// relay carries bytes both ways until both sides have ended, or one has
// failed and both are reset.
func (s *session) relay() {
	var halves sync.WaitGroup
	halves.Go(s.carryFromPeer)
	s.carryToPeer()
	halves.Wait()
	s.finish()
}

func (s *session) carryFromPeer() {
	s.carry(half{
		from: s.peer, to: s.plain, carried: &s.fromPeer, total: &s.tunnel.fromPeer,
		first: s.onFirstByte,
	})
}

func (s *session) carryToPeer() {
	s.carry(half{
		from: s.plain, to: s.peer, carried: &s.toPeer, total: &s.tunnel.toPeer,
		inspect: s.inspect,
	})
}

// carry moves bytes until h.from ends, and then ends h.to in the same
// direction. A failure on either side resets both: it never looks like an
// end.
func (s *session) carry(h half) {
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	for {
		n, err := h.from.stream.Read(buffer[:])
		if n > 0 && !s.pass(h, buffer[:n]) {
			return
		}
		if err == nil {
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

// pass writes what was read. It says whether the half can go on.
func (s *session) pass(h half, data []byte) bool {
	s.touch()
	if h.inspect != nil {
		if stop := h.inspect(data); stop != nil {
			s.abort(stop.Error())
			return false
		}
	}
	if h.first != nil && h.carried.Load() == 0 {
		h.first()
	}
	h.carried.Add(uint64(len(data))) // before they can be seen to have arrived
	h.total.Add(uint64(len(data)))
	if _, err := h.to.stream.Write(data); err != nil {
		s.writeFailed(h, err)
		return false
	}
	s.touch()
	return true
}

// passEnd hands the end of h.from on to h.to.
//
// A reset reads like an end if a write of the other half has taken the error
// first, which the kernel gives only once; isReset tells them apart.
func (s *session) passEnd(h half) {
	if s.failing.Load() {
		s.abort("") // h.to broke before: what ended here may be cut off
		return
	}
	if !h.from.ended.Load() && isReset(h.from.socket) {
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
func (s *session) readFailed(h half, err error) {
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
func (s *session) writeFailed(h half, err error) {
	s.fail(failure(h.to, err), lastWords)
}

// failure says in plain words what broke.
func failure(side leg, err error) string {
	switch {
	case errors.Is(err, errCutOff), errors.Is(err, io.ErrUnexpectedEOF):
		return side.name + " was cut off: " + errCutOff.Error()
	case isResetError(err):
		return side.name + " reset the connection"
	case errors.Is(err, syscall.ETIMEDOUT):
		return side.name + " no longer answers: keepalive or TCP_USER_TIMEOUT ran out"
	default:
		return side.name + " failed: " + err.Error()
	}
}

// isResetError says whether err is the ordinary way in which programs drop
// connections.
func isResetError(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ENOTCONN)
}
