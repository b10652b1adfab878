package main

import (
	"fmt"
	"time"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/term"
)

// semiSyncFlag is --semi-sync.
type semiSyncFlag replication.SemiSyncWish

// The values of --semi-sync that are no times.
const (
	semiSyncPreset  = "10s" // as both families have it
	semiSyncEndless = "endless"
	semiSyncOff     = "off"
)

func (f *semiSyncFlag) setting() config.Setting {
	return config.Setting{
		Name: "semi-sync", Group: config.GroupPair, Arg: "TIME", Target: f, Bare: semiSyncPreset, Preset: "as it is",
		Usage: "how long a commit waits for the slave; alone: " + semiSyncPreset + "; endless; off",
	}
}

// UnmarshalText reads it.
func (f *semiSyncFlag) UnmarshalText(text []byte) error {
	*f = semiSyncFlag{Given: true}
	switch string(text) {
	case semiSyncOff:
		f.Want = &term.SemiSync{Off: true}
		return nil
	case semiSyncEndless:
		f.Want = &term.SemiSync{}
		return nil
	}
	timeout, err := time.ParseDuration(string(text))
	if err != nil || timeout < time.Millisecond {
		return &usage.Error{
			Message: fmt.Sprintf("%q is no time", text),
			Cure: "write it as in 10s; or endless, with which nothing acknowledged is lost, and a lost slave stops all" +
				" writes; or off",
		}
	}
	f.Want = &term.SemiSync{Timeout: timeout}
	return nil
}

// mustBeOfPair refuses the flag where there is no guard to do it.
func (f *semiSyncFlag) mustBeOfPair() error {
	if !f.Given {
		return nil
	}
	return &usage.Error{
		Where: "--semi-sync", Message: "is for a pair, whose guards switch it on and off",
		Cure: "name both hosts in [pair] of /etc/gtunnel/gtunnel.toml, or leave it out",
	}
}
