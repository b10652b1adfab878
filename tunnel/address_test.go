package tunnel_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/tunnel"
)

func TestParseAddress(t *testing.T) {
	for _, test := range []struct {
		text     string
		want     tunnel.Address
		form     string
		loopback bool
	}{
		{"3307", tunnel.Address{Network: "tcp", Port: "3307"}, ":3307", false},
		{":3307", tunnel.Address{Network: "tcp", Port: "3307"}, ":3307", false},
		{":0", tunnel.Address{Network: "tcp", Port: "0"}, ":0", false},
		{"03307", tunnel.Address{Network: "tcp", Port: "3307"}, ":3307", false},
		{"127.0.0.1:3306", tunnel.Address{Network: "tcp", Host: "127.0.0.1", Port: "3306"}, "127.0.0.1:3306", true},
		{"127.8.9.10:3306", tunnel.Address{Network: "tcp", Host: "127.8.9.10", Port: "3306"}, "127.8.9.10:3306", true},
		{"localhost:3306", tunnel.Address{Network: "tcp", Host: "localhost", Port: "3306"}, "localhost:3306", true},
		{"10.0.0.1:65535", tunnel.Address{Network: "tcp", Host: "10.0.0.1", Port: "65535"}, "10.0.0.1:65535", false},
		{
			"server1.domain.one:3307",
			tunnel.Address{Network: "tcp", Host: "server1.domain.one", Port: "3307"},
			"server1.domain.one:3307", false,
		},
		{"master-db:3306", tunnel.Address{Network: "tcp", Host: "master-db", Port: "3306"}, "master-db:3306", false},
		{"site_a_db.:3306", tunnel.Address{Network: "tcp", Host: "site_a_db.", Port: "3306"}, "site_a_db.:3306", false},
		{"[::1]:3307", tunnel.Address{Network: "tcp", Host: "::1", Port: "3307"}, "[::1]:3307", true},
		{"[::]:3307", tunnel.Address{Network: "tcp", Host: "::", Port: "3307"}, "[::]:3307", false},
		{
			"[::ffff:127.0.0.1]:1",
			tunnel.Address{Network: "tcp", Host: "::ffff:127.0.0.1", Port: "1"},
			"[::ffff:127.0.0.1]:1",
			true,
		},
		{
			"[fe80::1%eth0]:3307",
			tunnel.Address{Network: "tcp", Host: "fe80::1%eth0", Port: "3307"},
			"[fe80::1%eth0]:3307",
			false,
		},
		{
			"unix:/run/mysqld/mysqld.sock",
			tunnel.Address{Network: "unix", Path: "/run/mysqld/mysqld.sock"},
			"unix:/run/mysqld/mysqld.sock", true,
		},
	} {
		got, err := tunnel.ParseAddress(test.text)
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
			continue
		}
		if got != test.want || got.String() != test.form || got.IsLoopback() != test.loopback {
			t.Errorf("%q gives %#v, %q, loopback %t; want %#v, %q, %t", test.text, got, got, got.IsLoopback(), test.want,
				test.form, test.loopback)
		}
		var again tunnel.Address
		text, err := got.MarshalText()
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
		}
		if err := again.UnmarshalText(text); err != nil || again != got {
			t.Errorf("%q does not survive its own text %q: %#v, %v", test.text, text, again, err)
		}
	}
}

func TestParseAddressErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "empty",
		"server1.domain.one":                "no port",
		"server1:":                          `port "" is not a number`,
		"server1:mysql":                     `port "mysql" is not a number`,
		"server1:+3307":                     "not a number",
		"server1:65536":                     "above 65535",
		"99999999999999999999":              "above 65535",
		":-1":                               "not a number",
		"::1:3307":                          "IPv6 address needs brackets",
		":::3307":                           "IPv6 address needs brackets",
		"[::1]":                             "no port after the bracket",
		"[::1]3307":                         "no port after the bracket",
		"[127.0.0.1]:3307":                  "not an IPv6 address",
		"[server1]:3307":                    "not an IPv6 address",
		"*:3307":                            "every address is written without a host",
		"300.1.1.1:3307":                    "neither an IP address nor a host name",
		"1.2.3:3307":                        "neither an IP address nor a host name",
		"tcp://server1:3307":                "URL",
		"server 1:3307":                     "not a host name",
		" server1:3307":                     "not a host name",
		"server1..one:3307":                 "not a host name",
		"-server1:3307":                     "not a host name",
		"/run/mysqld.sock":                  "needs unix:",
		"unix:run/mysqld.sock":              "absolute",
		"unix:":                             "absolute",
		"unix:/run/":                        "must name a file",
		"unix:/a\x00b":                      "NUL",
		"unix:/" + strings.Repeat("a", 107): "longer than 107",
		strings.Repeat("a", 64) + ":1":      "not a host name",
		strings.Repeat(strings.Repeat("a", 60)+".", 5) + ":1": "longer than 253",
	} {
		_, err := tunnel.ParseAddress(text)
		if err == nil {
			t.Errorf("%q is accepted", text)
			continue
		}
		for _, part := range []string{want, "port, :port, host:port, [v6]:port or unix:/path"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q gives %q, which does not say %q", text, err, part)
			}
		}
		address := tunnel.Address{Network: "tcp", Port: "1"}
		if err := address.UnmarshalText([]byte(text)); err == nil || address.Port != "1" {
			t.Errorf("%q: UnmarshalText gives %v and changes the address to %v", text, err, address)
		}
	}
}

func TestZeroAddress(t *testing.T) {
	if text := (tunnel.Address{}).String(); text != "" {
		t.Errorf("the zero address is %q, want nothing", text)
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, seed := range []string{
		"3307", ":3307", "server1:3307", "[::1]:3307", "[fe80::1%eth0]:1", "unix:/run/a.sock",
		"::1:3307", "[]:1", "a:b:c", "unix:", "127.0.0.1:0",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		address, err := tunnel.ParseAddress(text)
		if err != nil {
			if address != (tunnel.Address{}) {
				t.Errorf("%q gives %#v beside an error", text, address)
			}
			return
		}
		again, err := tunnel.ParseAddress(address.String())
		if err != nil || again != address {
			t.Errorf("%q gives %#v, whose text %q gives %#v, %v", text, address, address, again, err)
		}
	})
}

// TestAddressesThatMeet: which listeners fight for a place, and which targets
// lead to a listener.
func TestAddressesThatMeet(t *testing.T) {
	for _, test := range []struct {
		a, b           string
		overlaps, aToB bool
	}{
		{"127.0.0.1:4000", "127.0.0.1:4000", true, true},
		{"127.0.0.1:4000", "127.0.0.1:4001", false, false},
		{"localhost:4000", "127.0.0.1:4000", true, true},
		{"LOCALHOST.:4000", "127.0.0.1:4000", true, true},
		{"127.0.0.1:4000", "127.0.0.2:4000", false, false},
		{"[::ffff:127.0.0.1]:4000", "127.0.0.1:4000", true, true},
		{"127.0.0.1:4000", "4000", true, true},
		{"127.0.0.1:4000", "0.0.0.0:4000", true, true},
		{"127.0.0.1:4000", "[::]:4000", false, false},
		{"0.0.0.0:4000", "[::]:4000", false, false},
		{"0.0.0.0:4000", "4000", true, true},
		{"[::]:4000", "4000", true, true},
		{"server1:4000", "[::]:4000", true, false},
		{"[::ffff:0.0.0.0]:4000", "0.0.0.0:4000", true, true},
		{"127.0.0.1:4000", "[::1]:4000", false, false},
		{"[::1]:4000", "0.0.0.0:4000", false, false},
		{"[::1]:4000", "[::]:4000", true, true},
		{"[::1]:4000", "4000", true, true},
		{"4000", "127.0.0.1:4000", true, true},
		{"4000", "[::1]:4000", true, false}, // a target without a host is 127.0.0.1
		{"0.0.0.0:4000", "127.0.0.1:4000", true, true},
		{"[::]:4000", "[::1]:4000", true, true},
		{"192.0.2.1:4000", "4000", true, false}, // perhaps another host's
		{"192.0.2.1:4000", "192.0.2.1:4000", true, true},
		{"server1:4000", "4000", true, false},
		{"server1:4000", "Server1.:4000", true, true},
		{"server1:4000", "server2:4000", false, false},
		{"server1:4000", "127.0.0.1:4000", false, false},
		{"127.0.0.1:0", "127.0.0.1:0", false, false},
		{"unix:/run/a.sock", "unix:/run/a.sock", true, true},
		{"unix:/run/a.sock", "unix:/run/b.sock", false, false},
		{"unix:/run/a.sock", "4000", false, false},
	} {
		a, b := address(t, test.a), address(t, test.b)
		if a.Overlaps(b) != test.overlaps || b.Overlaps(a) != test.overlaps {
			t.Errorf("%s and %s overlap: %t, %t, want %t", a, b, a.Overlaps(b), b.Overlaps(a), test.overlaps)
		}
		if a.Reaches(b) != test.aToB {
			t.Errorf("%s reaches %s: %t", a, b, !test.aToB)
		}
	}
	if none := (tunnel.Address{}); none.Overlaps(none) || none.Reaches(none) {
		t.Error("no address meets no address")
	}
}
