package tunnel

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gtunnel/gtunnel/certs"
)

// wire is the socket under a TLS connection. Once the connection carries
// data, wire differs from the socket in four ways.
//
// It reads and writes batches. Read gives what fill has fetched, and errDrained
// when that is used up, instead of waiting; Write between gather and flush
// collects records.
//
// Its end is an error, errCutOff. Where a connection ends between two records
// without close_notify, crypto/tls reports an orderly end, and so would let
// anybody on the way cut the data short (RFC 8446, section 6.1).
//
// It ignores write deadlines: crypto/tls gives the close_notify alert of
// CloseWrite five seconds, which would cut off a reader that is slower than
// that after a half-close. TCP_USER_TIMEOUT and Timeouts.HalfClose bound the
// write instead.
//
// It gives crypto/tls one record at a time, whose buffer would otherwise grow
// to twice a record, and stay so.
type wire struct {
	net.Conn
	carrying atomic.Bool
	place    *place // server: which reads in turns during the handshake; else nil

	// One goroutine at a time reads.
	source source
	input  *buffer // what fill has fetched and Read not given yet; nil: nothing
	frame  frame

	writing sync.Mutex // of those who write data, alerts and key updates
	sink    sink
	output  *buffer // records between gather and flush; nil outside
}

var errCutOff = errors.New("the connection ended without the end of TLS (close_notify)")

// errDrained says that Read has given all that fill has fetched. For
// crypto/tls it is the same as a read deadline that has passed, after which
// the next Read goes on where this one stopped.
var errDrained net.Error = drained{}

type drained struct{}

func (drained) Error() string   { return "nothing more has been fetched" }
func (drained) Timeout() bool   { return true }
func (drained) Temporary() bool { return true }

// newWire makes the wire of a socket that the caller closes.
func newWire(conn net.Conn) (*wire, error) {
	w := &wire{Conn: conn}
	return w, errors.Join(w.source.init(conn), w.sink.init(conn))
}

// carry says that the handshake is over.
func (w *wire) carry() error {
	if err := w.Conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	w.carrying.Store(true)
	return nil
}

// fill waits for records and fetches those that have come. Read must have
// given all that came before.
func (w *wire) fill() (err error) {
	if w.input, err = w.source.receive(); err == io.EOF { //nolint:errorlint // source gives it plain
		err = errCutOff
	}
	return err
}

// Read reads the socket during the handshake. After it, Read gives what fill
// has fetched, without waiting.
func (w *wire) Read(data []byte) (n int, err error) {
	switch {
	case !w.carrying.Load() && w.place != nil:
		if n, err = w.place.read(w, data); err == nil {
			err = w.place.resume(w, w.frame.pass(data[:n]))
		}
		return n, err
	case !w.carrying.Load():
		n, err = w.Conn.Read(data)
	case w.input == nil:
		return 0, errDrained
	default:
		n = copy(data, w.input.data()[:w.frame.rest(w.input.data())])
		if w.input.start += n; w.input.start == w.input.end {
			w.drop()
		}
	}
	w.frame.pass(data[:n])
	return n, err
}

// fetched is the size of the buffer that fill has last filled, as far as Read
// has not given all of it.
func (w *wire) fetched() int {
	if w.input == nil {
		return 0
	}
	return w.input.size
}

// drop forgets what fill has fetched.
func (w *wire) drop() {
	w.input.release()
	w.input = nil
}

// gather makes Write collect records until flush, in a buffer of a size.
func (w *wire) gather(size int) {
	w.writing.Lock()
	defer w.writing.Unlock()
	w.output = takeBuffer(size)
}

// Write sends data at once, or after what has been gathered so far: alerts
// and key updates keep their place among the records.
func (w *wire) Write(data []byte) (int, error) {
	w.writing.Lock()
	defer w.writing.Unlock()
	if w.place != nil && !w.carrying.Load() {
		w.place.answers()
	}
	if w.output == nil {
		return w.sink.write(data)
	}
	for written := 0; ; {
		n := copy(w.output.free(), data[written:])
		w.output.end += n
		if written += n; written == len(data) {
			return written, nil
		}
		if err := w.sendOutput(); err != nil {
			return written, err
		}
	}
}

// refuse tells a peer to which nothing was sent yet that this end takes no
// connection now, and does not wait.
func (w *wire) refuse() {
	if !w.writing.TryLock() {
		return // this end is answering, and the peer would not understand
	}
	defer w.writing.Unlock()
	if w.place.shown() < answered {
		// a socket that was not written to takes it; a peer that has gone need not know
		_, _ = w.sink.write(certs.BusyAlert())
	}
}

// flush sends what has been gathered, by one write.
func (w *wire) flush() error {
	w.writing.Lock()
	defer w.writing.Unlock()
	err := w.sendOutput()
	w.output.release()
	w.output = nil
	return err
}

// sendOutput empties w.output. The caller holds w.writing.
func (w *wire) sendOutput() error {
	_, err := w.sink.write(w.output.data())
	w.output.start, w.output.end = 0, 0
	return err
}

// SetWriteDeadline has no effect while the wire carries data.
func (w *wire) SetWriteDeadline(deadline time.Time) error {
	if w.carrying.Load() {
		return nil
	}
	return w.Conn.SetWriteDeadline(deadline)
}

// SetDeadline only sets the read deadline while the wire carries data.
func (w *wire) SetDeadline(deadline time.Time) error {
	if w.carrying.Load() {
		return w.SetReadDeadline(deadline)
	}
	return w.Conn.SetDeadline(deadline)
}

// CloseWrite ends the sending side of the socket itself, below TLS.
func (w *wire) CloseWrite() error {
	half, ok := w.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// frame follows the records of a stream (RFC 8446, section 5.1): five bytes
// of header, of which the last two are the length of what follows. The zero
// value is before the first record.
type frame struct {
	header [recordHeader]byte
	have   int // bytes of the header
	left   int // bytes after the header
}

const recordHeader = 5

// rest is how much of data, which comes next, belongs to the present record,
// or to the one that begins with it.
func (f *frame) rest(data []byte) int {
	switch {
	case f.left > 0:
		return min(f.left, len(data))
	case f.have == 0 && len(data) >= recordHeader:
		return min(recordHeader+int(data[3])<<8+int(data[4]), len(data))
	default:
		return min(recordHeader-f.have, len(data))
	}
}

// pass moves over data, and reports whether a record ends in it.
func (f *frame) pass(data []byte) (ends bool) {
	for len(data) > 0 {
		if f.left > 0 {
			n := min(f.left, len(data))
			f.left -= n
			ends = ends || f.left == 0
			data = data[n:]
			continue
		}
		n := copy(f.header[f.have:], data)
		data = data[n:]
		if f.have += n; f.have == recordHeader {
			f.have, f.left = 0, int(f.header[3])<<8+int(f.header[4])
			ends = ends || f.left == 0
		}
	}
	return ends
}
