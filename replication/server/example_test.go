package server_test

import (
	"fmt"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
)

// A server's version decides which words it understands.
func ExampleVersion() {
	for _, text := range []string{"10.11.6-MariaDB-0+deb12u1", "8.4.3"} {
		v, err := server.ParseVersion(text, "")
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s, series %s: %s\n", v, v.Series(), v.ResetSlaveAll())
	}
	// Output:
	// MariaDB 10.11.6, series 10.11: RESET SLAVE ALL
	// MySQL 8.4.3, series 8.4: RESET REPLICA ALL FOR CHANNEL ''
}

// What a statement shows is not what is sent, where it has a password.
func ExampleStatement() {
	v := server.Version{Family: server.MariaDB, Major: 10, Minor: 11}
	statement := v.CreateAccount("db_rep", server.Loopback, server.NewPassword("secret"))
	fmt.Println(statement)
	fmt.Println(statement.Reveal())
	// Output:
	// CREATE USER 'db_rep'@'127.0.0.1' IDENTIFIED BY '********' PASSWORD EXPIRE NEVER
	// CREATE USER 'db_rep'@'127.0.0.1' IDENTIFIED BY 'secret' PASSWORD EXPIRE NEVER
}

// A slave of MariaDB's begins at the end of a copy.
func ExampleConnection() {
	v := server.Version{Family: server.MariaDB, Major: 10, Minor: 11}
	c := server.Connection{
		Host: server.Loopback, Port: 3307, User: "db_rep", Password: server.NewPassword("secret"),
		Start: server.Position{File: "mysql-bin.000007", Offset: 4711},
	}
	fmt.Println(strings.ReplaceAll(v.ChangeMaster(c).String(), ", ", ",\n"))
	// Output:
	// CHANGE MASTER TO MASTER_HOST='127.0.0.1',
	// MASTER_PORT=3307,
	// MASTER_USER='db_rep',
	// MASTER_PASSWORD='********',
	// MASTER_CONNECT_RETRY=10,
	// MASTER_HEARTBEAT_PERIOD=5,
	// MASTER_SSL=0,
	// MASTER_SSL_VERIFY_SERVER_CERT=0,
	// IGNORE_SERVER_IDS=(),
	// DO_DOMAIN_IDS=(),
	// IGNORE_DOMAIN_IDS=(),
	// MASTER_DELAY=0,
	// MASTER_USE_GTID=no,
	// MASTER_LOG_FILE='mysql-bin.000007',
	// MASTER_LOG_POS=4711
}

func ExamplePosition() {
	early := server.Position{File: "mysql-bin.999999", Offset: 4711}
	late := server.Position{File: "mysql-bin.1000000", Offset: 4}
	fmt.Println(early, "is before", late, early.Before(late))
	// Output:
	// mysql-bin.999999:4711 is before mysql-bin.1000000:4 true
}

// A login is shown without its password.
func ExampleLogin() {
	fmt.Println(server.Login{
		Network: "tcp", Address: "127.0.0.1:3307", User: "gtunnel_monitor", Password: server.NewPassword("secret"),
	})
	// Output:
	// gtunnel_monitor at 127.0.0.1:3307
}

func ExampleSlaveStatus() {
	s := &server.SlaveStatus{WildDoTable: []string{"voms.%"}, IgnoreTable: []string{"voms.t"}}
	for _, table := range []string{"voms.users", "voms.t", "iam.users"} {
		fmt.Printf("%s: %q\n", table, s.LeavesOut(table))
	}
	// Output:
	// voms.users: ""
	// voms.t: "replicate_ignore_table=voms.t"
	// iam.users: "replicate_wild_do_table=voms.%"
}
