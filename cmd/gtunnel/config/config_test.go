package config_test

import (
	"testing"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/tunnel"
)

// TestAdminAddressText: the text of each admin address reads as the same one.
func TestAdminAddressText(t *testing.T) {
	for text, want := range map[string]config.AdminAddress{
		"none":               {None: true},
		"127.0.0.1:9307":     {Address: tunnel.Address{Network: "tcp", Host: "127.0.0.1", Port: "9307"}},
		"unix:/run/a/b.sock": {Address: tunnel.Address{Network: "unix", Path: "/run/a/b.sock"}},
	} {
		var got config.AdminAddress
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q gives %+v, %v", text, got, err)
		}
		if again, err := got.MarshalText(); err != nil || string(again) != text {
			t.Errorf("%q becomes %q, %v", text, again, err)
		}
	}
	if text, err := new(config.AdminAddress).MarshalText(); err != nil || len(text) > 0 {
		t.Errorf("the preset is %q, %v", text, err)
	}
}
