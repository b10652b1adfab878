package tunnel

import (
	"net"
	"net/netip"
	"testing"
)

// TestSourceOf: an IPv4 address is one source however it is written, an IPv6
// address one with its /64, and what has no address none.
func TestSourceOf(t *testing.T) {
	for _, test := range []struct {
		address net.Addr
		want    string // empty: none
	}{
		{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1).To4(), Port: 1}, "192.0.2.1/32"},
		{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1).To16(), Port: 2}, "192.0.2.1/32"},
		{&net.TCPAddr{IP: net.ParseIP("2001:db8:1:2:3:4:5:6")}, "2001:db8:1:2::/64"},
		{&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0"}, "fe80::/64"},
		{&net.TCPAddr{}, ""},
		{&net.UnixAddr{Name: "/run/a.sock", Net: "unix"}, ""},
	} {
		var want netip.Prefix
		if test.want != "" {
			want = prefix(test.want)
		}
		got := sourceOf(test.address)
		if got != want {
			t.Errorf("%v: %s, want %s", test.address, got, want)
		}
		if all := networks(got); all[0] != want || all[1].IsValid() != want.IsValid() {
			t.Errorf("%v: the networks %v", test.address, all)
		}
	}
}
