package finding

import (
	"regexp"
	"slices"
	"strings"
)

// The words with which a server refuses a login by where it comes from, and a header
// of the PROXY protocol.
var loginAddress = regexp.MustCompile(`Host '([^']+)' is not allowed|Access denied for user '[^']*'@'([^']+)'`)

const headerRefused = "Proxy header is not accepted"

// Elsewhere is the cause of an error of a login through the tunnel that the master has
// not seen come from 127.0.0.1, as it does where its gtunnel server tells it the
// address of the slave by the PROXY protocol; false: it is another one.
func Elsewhere(number int, text string) (Cause, bool) {
	if number != AccessDenied && number != hostNotAllowed {
		return Cause{}, false
	}
	if strings.Contains(text, headerRefused) {
		return noHeaders, true
	}
	found := loginAddress.FindStringSubmatch(text)
	if found == nil || slices.Contains([]string{"127.0.0.1", "localhost", "::1"}, found[1]+found[2]) {
		return Cause{}, false
	}
	return elsewhere, true
}

// hostNotAllowed is the number of the error of a login from where no account is for.
const hostNotAllowed = 1130

var (
	elsewhere = Cause{
		Code: "login-from-elsewhere",
		Words: "the master does not see the login come from 127.0.0.1, for which its accounts are, but from elsewhere: " +
			"its gtunnel server tells it where the slave is (proxy-protocol), or an address translation stands between",
		Cure: "on the master remove proxy_protocol, or --proxy-protocol, from the tunnel of the replication; " +
			"what wants to see addresses gets a tunnel of its own, at another port",
	}
	noHeaders = Cause{
		Code: "proxy-header-refused",
		Words: "the gtunnel server tells MariaDB where the slave is (proxy-protocol), " +
			"and MariaDB does not take that from 127.0.0.1",
		Cure: "on the master remove proxy_protocol, or --proxy-protocol, from the tunnel of the replication",
	}
)
