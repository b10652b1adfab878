package optionfile

import (
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
)

// ClientFile is a file of gtunnel's with a login, of the kind that MySQL's own
// programs read (--defaults-file).
type ClientFile struct {
	Path  string
	Login server.Login
}

// clientHead marks the file as ours.
const clientHead = "# Made by gtunnel replication setup-slave.\n"

// Content is the file's text, which shows the password as stars.
func (f *ClientFile) Content() server.Statement {
	var b strings.Builder
	b.WriteString(clientHead + "[client]\n")
	if host, port, err := net.SplitHostPort(f.Login.Address); f.Login.Network == "tcp" && err == nil {
		fmt.Fprintf(&b, "host = %s\nport = %s\nprotocol = tcp\n", Quote(host), port)
	} else {
		fmt.Fprintf(&b, "socket = %s\n", Quote(f.Login.Address))
	}
	fmt.Fprintf(&b, "user = %s\n", Quote(f.Login.User))
	secret := Quote(f.Login.Password.Reveal())
	return server.Text(b.String()+"password = "+secret+"\n", secret)
}

// Foreign reports whether there is a file that gtunnel has not made.
func (f *ClientFile) Foreign() bool {
	content, err := os.ReadFile(f.Path)
	return err == nil && !strings.HasPrefix(string(content), clientHead)
}

// Same reports whether the file says this already.
func (f *ClientFile) Same() bool {
	content, err := os.ReadFile(f.Path)
	return err == nil && string(content) == f.Content().Reveal()
}
