package replication

import (
	"fmt"
	"net"
	"os"
	"strings"
)

// OptionFile is a file of the kind that MySQL's own programs read
// (--defaults-file), with a login.
type OptionFile struct {
	Path  string
	Login Login
}

// content is the file's text.
func (o *OptionFile) statement() Statement {
	var b strings.Builder
	b.WriteString(optionFileHead + "[client]\n")
	if host, port, err := net.SplitHostPort(o.Login.Address); o.Login.Network == "tcp" && err == nil {
		fmt.Fprintf(&b, "host = %s\nport = %s\nprotocol = tcp\n", quoteOption(host), port)
	} else {
		fmt.Fprintf(&b, "socket = %s\n", quoteOption(o.Login.Address))
	}
	fmt.Fprintf(&b, "user = %s\n", quoteOption(o.Login.User))
	secret := quoteOption(o.Login.Password.Reveal())
	return secretText(b.String()+"password = "+secret+"\n", secret)
}

// optionFileHead marks the file as ours.
const optionFileHead = "# Made by gtunnel replication setup-slave.\n"

// foreign tells whether there is a file that gtunnel has not made.
func (o *OptionFile) foreign() bool {
	content, err := os.ReadFile(o.Path)
	return err == nil && !strings.HasPrefix(string(content), optionFileHead)
}

// same tells whether the file says this already.
func (o *OptionFile) same() bool {
	content, err := os.ReadFile(o.Path)
	return err == nil && string(content) == o.statement().Reveal()
}
