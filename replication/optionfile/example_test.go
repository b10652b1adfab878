package optionfile_test

import (
	"errors"
	"fmt"

	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
)

// A login is read from a person's own file.
func ExampleOption() {
	options, err := optionfile.Parse("[client]\nuser = root\npassword = \"it's #1\" # a comment\n")
	if err != nil {
		panic(err)
	}
	for _, o := range options {
		fmt.Printf("line %d, [%s]: %s=%s\n", o.Line, o.Group, o.Key, o.Value)
	}
	// Output:
	// line 2, [client]: user=root
	// line 3, [client]: password=it's #1
}

func ExampleError() {
	_, err := optionfile.Parse("user = root\n")
	if e, ok := errors.AsType[*optionfile.Error](err); ok {
		fmt.Println(e.Line, e.Text)
	}
	// Output:
	// 1 an option stands before the first [group]
}

// Settings that a restart must not lose stand in a file of our own.
func ExampleDropIn() {
	var none *optionfile.DropIn
	one := none.With(optionfile.Setting{Name: "server_id", Value: "2"}, optionfile.Setting{Name: "read_only", Value: "ON"})
	two := one.With(optionfile.Setting{Name: "replicate_wild_do_table", Value: "voms.%\niam.%"},
		optionfile.Setting{Name: "server_id", Value: "3"})
	fmt.Print(two.Content())
	fmt.Println(two.Has("read_only"), two.Equal(one))
	// Output:
	// # Made by gtunnel replication, which changes nothing outside this file.
	// [mysqld]
	// read_only = ON
	// replicate_wild_do_table = "voms.%"
	// replicate_wild_do_table = "iam.%"
	// server_id = 3
	// true false
}

// The login of `gtunnel replication status` is kept for its next run.
func ExampleClientFile() {
	file := &optionfile.ClientFile{Path: "/nowhere/master.cnf", Login: server.Login{
		Network: "tcp", Address: "127.0.0.1:3307", User: "gtunnel_monitor", Password: server.NewPassword("secret"),
	}}
	fmt.Print(file.Content())
	fmt.Println(file.Same(), file.Foreign())
	// Output:
	// # Made by gtunnel replication setup-slave.
	// [client]
	// host = 127.0.0.1
	// port = 3307
	// protocol = tcp
	// user = gtunnel_monitor
	// password = ********
	// false false
}
