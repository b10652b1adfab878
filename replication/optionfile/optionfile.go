package optionfile

import (
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
)

// ClientFile is a file of the kind that MySQL's own programs read
// (--defaults-file), with a login.
type ClientFile struct {
	Path  string
	Login server.Login
}

// content is the file's text.
func (o *ClientFile) Statement() server.Statement {
	var b strings.Builder
	b.WriteString(optionFileHead + "[client]\n")
	if host, port, err := net.SplitHostPort(o.Login.Address); o.Login.Network == "tcp" && err == nil {
		fmt.Fprintf(&b, "host = %s\nport = %s\nprotocol = tcp\n", QuoteOption(host), port)
	} else {
		fmt.Fprintf(&b, "socket = %s\n", QuoteOption(o.Login.Address))
	}
	fmt.Fprintf(&b, "user = %s\n", QuoteOption(o.Login.User))
	secret := QuoteOption(o.Login.Password.Reveal())
	return server.Text(b.String()+"password = "+secret+"\n", secret)
}

// optionFileHead marks the file as ours.
const optionFileHead = "# Made by gtunnel replication setup-slave.\n"

// Foreign reports whether there is a file that gtunnel has not made.
func (o *ClientFile) Foreign() bool {
	content, err := os.ReadFile(o.Path)
	return err == nil && !strings.HasPrefix(string(content), optionFileHead)
}

// Same reports whether the file says this already.
func (o *ClientFile) Same() bool {
	content, err := os.ReadFile(o.Path)
	return err == nil && string(content) == o.Statement().Reveal()
}
