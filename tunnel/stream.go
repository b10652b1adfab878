package tunnel

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
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
