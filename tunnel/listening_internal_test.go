package tunnel

import (
	"strings"
	"testing"
)

// TestListenerLines: lines of the kernel that are no listener, or that say
// something else than expected.
func TestListenerLines(t *testing.T) {
	const rest = " 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0"
	for line, want := range map[string]string{
		"0: 0100007F:0CEA 00000000:0000 0A" + rest:                                                 "127.0.0.1:3306",
		"0: 00000000:0CEB 00000000:0000 0A" + rest:                                                 "0.0.0.0:3307",
		"0: 00000000000000000000000001000000:0CEA 00000000000000000000000000000000:0000 0A" + rest: "[::1]:3306",
		"0: 00000000000000000000000000000000:0CEA 00000000000000000000000000000000:0000 0A" + rest: ":3306",
		"0: 0100007F:0CEA 0100007F:9C40 01" + rest:                                                 "", // a connection
		"0: 0100007F:0CEA 00000000:0000":                                                           "",
		"":                                                                                         "",
		"0: 0100007X:0CEA 00000000:0000 0A" + rest:                                                 "",
		"0: 0100007FX:0CEA 00000000:0000 0A" + rest:                                                "",
		"0: 01007F:0CEA 00000000:0000 0A" + rest:                                                   "",
		"0: 0100007F 00000000:0000 0A" + rest:                                                      "",
		"0: 0100007F:10CEA 00000000:0000 0A" + rest:                                                "",
	} {
		bound, ok := tcpListener(strings.Fields(line))
		if ok != (want != "") || ok && bound.String() != want {
			t.Errorf("%q: %s, %t; want %q", line, bound, ok, want)
		}
	}
	const path = "/run/my sql/mysqld.sock"
	for line, want := range map[string]bool{
		"0000000000000000: 00000002 00000000 00010000 0001 01 23456 " + path:       true,
		"0000000000000000: 00000003 00000000 00000000 0001 03 23456 " + path:       false, // a connection
		"0000000000000000: 00000002 00000000 00010000 0001 01 23456 " + path + "x": false,
		"0000000000000000: 00000002 00000000 1000X 0001 01 23456 " + path:          false,
		"0000000000000000: 00000002 00000000 00010000 0001 01 23456":               false, // without a name
		"": false,
	} {
		if got := isUnixListener(strings.Fields(line), path); got != want {
			t.Errorf("%q: %t", line, got)
		}
	}
	if anyLine("/proc/self/net/no-such-file", func([]string) bool { return true }) {
		t.Error("a file that is not there has a line")
	}
}
