// Gtunnel carries MySQL replication between two grid hosts inside TLS. Both
// ends prove themselves with grid host certificates.
//
// One file holds one command, which parses, calls and prints. The way of a flag
// such as --crl: config.AddFlags gives it to the command, whose RunE hands the
// config.Config to serve; newProcess judges it (config.Faults), loads what it
// names and puts Tunnel.Policy into a certs.Endpoint and that into a
// tunnel.Tunnel, which service.run serves. reload.go goes the same way again.
//
// Exit codes: 0 done, 1 failed, 2 wrong usage or configuration. Errors go to
// the standard error as "gtunnel: what went wrong" and "hint: what to do".
package main

import (
	"context"
	"os"
)

func main() {
	m := &Main{
		Args:   os.Args[1:],
		Stdin:  os.Stdin,
		Stdout: os.Stdout,
		Stderr: os.Stderr,
		Getenv: os.Getenv,

		OwnProcess: true,
	}
	os.Exit(m.Run(context.Background()))
}
