package tunnel

import "errors"

// Address is a place to listen at or to connect to: a TCP host and port, or a
// unix socket. Its text forms are port, :port, host:port, [v6]:port and
// unix:/path. It implements encoding.TextMarshaler and TextUnmarshaler.
type Address struct {
	Network string // "tcp" or "unix"
	Host    string // tcp: name or IP address, without brackets; empty means any (listen) or 127.0.0.1 (connect)
	Port    string // tcp: 1 to 65535; 0 to listen on a free one
	Path    string // unix: the absolute path
}

// ParseAddress reads any of the text forms. The error says what is wrong and
// shows the forms.
func ParseAddress(text string) (Address, error) { return Address{}, errors.ErrUnsupported }
