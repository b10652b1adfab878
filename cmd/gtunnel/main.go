// Gtunnel carries MySQL replication between two grid hosts inside TLS. Both
// ends prove themselves with grid host certificates.
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
	}
	os.Exit(m.Run(context.Background()))
}
