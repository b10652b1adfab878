// Certificates makes what the hosts of the example prove themselves with: for
// each host a directory as /etc/grid-security is on a grid host, with its
// certificate, its key and the CApath that trusts the others. It keeps what it
// finds sound.
//
//	certificates DIR HOST HOST...
//
// writes DIR/HOST/hostcert.pem, hostkey.pem and certificates/. The CA's key is
// never written: it ends with the process.
package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "certificates: a directory and two hosts are needed")
		fmt.Fprintln(os.Stderr, "hint: certificates DIR master.example.org slave.example.org")
		os.Exit(2)
	}
	made, err := ensure(os.Args[1], os.Args[2:], time.Now())
	switch {
	case err != nil:
		fmt.Fprintf(os.Stderr, "certificates: %v\n", err)
		os.Exit(1)
	case made:
		fmt.Println("certificates: made a CA and a certificate for each host")
	default:
		fmt.Println("certificates: those of the last start are sound")
	}
}
