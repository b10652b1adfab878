package tunnel

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// stream is one side of a session. One goroutine receives and one sends.
//
// The two kinds are each other's mirror. What comes is read in batches: all
// that the socket has, up to the size of a buffer, in one read. What goes is
// written in batches: all that came, in one write, at once. No timer decides,
// and no buffer is held while nothing is on its way: whoever receives a buffer
// sends it, and whoever sends it releases it, before the next wait for data.
type stream interface {
	// receive waits for data and gives all that has come, which the caller
	// releases. At the end the error is io.EOF. Data may come with an error.
	receive() (*buffer, error)

	// send writes the data of a buffer, which it releases, at once.
	send(*buffer) error

	// CloseWrite ends what is sent.
	CloseWrite() error
}

// plainStream is the plain side.
type plainStream struct {
	halfCloser
	source source
	sink   sink
}

// halfCloser is a socket that can be half-closed: TCP or unix.
type halfCloser interface {
	net.Conn
	CloseWrite() error
}

// newPlainStream makes the stream of a socket, which the caller closes.
func newPlainStream(conn net.Conn) (*plainStream, error) {
	socket, ok := conn.(halfCloser)
	if !ok {
		return nil, fmt.Errorf("a %T cannot be half-closed", conn)
	}
	p := &plainStream{halfCloser: socket}
	return p, errors.Join(p.source.init(conn), p.sink.init(conn))
}

func (p *plainStream) receive() (*buffer, error) { return p.source.receive() }

func (p *plainStream) send(data *buffer) error {
	defer data.release()
	_, err := p.sink.write(data.data())
	return err
}

// tlsStream is the side of the peer: a TLS connection and the wire under it.
type tlsStream struct {
	*tls.Conn
	wire  *wire
	empty bool // conn has given all that the wire has fetched
}

// receive decrypts all records that have come into one buffer. Of a record
// that has come in part, conn keeps the part; nobody waits for its rest with a
// buffer in hand.
func (t *tlsStream) receive() (*buffer, error) {
	for {
		if t.empty {
			if err := t.wire.fill(); err != nil {
				return nil, err
			}
			t.empty = false
		}
		data, err := t.decrypt()
		if len(data.data()) > 0 {
			return data, err
		}
		data.release() // there was no data in the records
		if err != nil {
			return nil, err
		}
	}
}

// decrypt reads conn until all that the wire has fetched is used up, or the
// buffer is.
func (t *tlsStream) decrypt() (data *buffer, err error) {
	data = takeBuffer(t.wire.fetched())
	for len(data.free()) > 0 {
		n, err := t.Read(data.free())
		data.end += n
		if err == errDrained { //nolint:errorlint // crypto/tls gives it as it is
			t.empty = true
			return data, nil
		}
		if err != nil {
			return data, err
		}
	}
	return data, nil
}

// send encrypts into as many records as the data needs. One goes through as
// it is; several are gathered. Either way there is one write.
func (t *tlsStream) send(data *buffer) error {
	if len(data.data()) <= maxRecord {
		defer data.release()
		_, err := t.Write(data.data())
		return err
	}
	t.wire.gather(data.size)
	_, err := t.Write(data.data())
	data.release() // all of it is in the records now
	return errors.Join(err, t.wire.flush())
}

// maxRecord is how much data a record holds (RFC 8446, section 5.1).
const maxRecord = 16 << 10

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

// pass writes what was received and releases it. It says whether the half can
// go on.
func (s *session) pass(h *half, data *buffer) bool {
	s.touch()
	if h.inspect != nil {
		if stop := h.inspect(data.data()); stop != nil {
			data.release()
			s.abort(stop.Error())
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
		s.abort("") // h.to broke before: what ended here may be cut off
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
