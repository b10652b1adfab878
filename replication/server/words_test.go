package server_test

import (
	"fmt"

	"github.com/gtunnel/gtunnel/replication/server"
)

// The statements in a text become those that a version knows.
func ExampleVersion_InWords() {
	const text = "STOP SLAVE; (MySQL: SET GLOBAL super_read_only=0;) RESET SLAVE ALL"
	for _, v := range []server.Version{
		{Family: server.MariaDB, Major: 10, Minor: 11, Patch: 6},
		{Family: server.MySQL, Major: 5, Minor: 7, Patch: 44},
		{Family: server.MySQL, Major: 9, Minor: 7, Patch: 4},
	} {
		fmt.Println(v.InWords(text))
	}
	// Output:
	// STOP SLAVE; RESET SLAVE ALL
	// STOP SLAVE; SET GLOBAL super_read_only=0; RESET SLAVE ALL
	// STOP REPLICA; SET GLOBAL super_read_only=0; RESET REPLICA ALL FOR CHANNEL ''
}
