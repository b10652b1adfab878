package tunnel_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/tunnel"
)

// A program on the slave's host talks to one on the master's host, which greets
// it as MySQL does: through a client, TLS and a server.
func Example() {
	folder, err := os.MkdirTemp("", "tunnel-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	master, slave := exampleHosts(folder)
	master.Policy.Access, _ = certs.NewAccess([]string{"slave.domain.two"}, nil, false)
	database := exampleDatabase()
	defer database.Close()

	server := serveExample(tunnel.Config{
		Role: tunnel.Server, Accept: parse("127.0.0.1:0"), Connect: []tunnel.Address{parse(database.Addr().String())},
		Endpoint: master,
	})
	defer server.Close()
	client := serveExample(tunnel.Config{
		Role: tunnel.Client, Accept: parse("127.0.0.1:0"), Connect: []tunnel.Address{parse(server.Addr().String())},
		ServerName: "master.domain.one", Endpoint: slave,
	})
	defer client.Close()

	conn, err := net.Dial("tcp", client.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	greeting, err := io.ReadAll(conn)
	fmt.Printf("%s %v\n", greeting, err)
	fmt.Printf("%+v\n", client.Traffic())

	// What an administrator or a monitoring system asks.
	recorder := httptest.NewRecorder()
	admin := tunnel.AdminHandler(func() []*tunnel.Tunnel { return []*tunnel.Tunnel{server.Tunnel, client.Tunnel} }, nil)
	admin.ServeHTTP(recorder, httptest.NewRequest("GET", "/status", nil))
	var status tunnel.AdminStatus
	if err := json.Unmarshal(recorder.Body.Bytes(), &status); err != nil {
		log.Fatal(err)
	}
	for _, t := range status.Tunnels {
		fmt.Println(t.Name, t.Accepted, t.Refused)
	}
	// Output:
	// welcome <nil>
	// {Accepted:1 BytesFromPeer:7 BytesToPeer:0}
	// server 1 map[]
	// client 1 map[]
}

// exampleHosts are two hosts of one CA, which trust it.
func exampleHosts(folder string) (master, slave *certs.Endpoint) {
	ca, err := certstest.NewCA("Example CA", certstest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	capath := filepath.Join(folder, "certificates")
	if err := certstest.WriteCApath(capath, ca); err != nil {
		log.Fatal(err)
	}
	endpoint := func(name string) *certs.Endpoint {
		host, err := ca.NewHost(name, certstest.Options{})
		if err != nil {
			log.Fatal(err)
		}
		cert, key, err := host.Write(filepath.Join(folder, name))
		if err != nil {
			log.Fatal(err)
		}
		credential, err := certs.LoadCredential(cert, key)
		if err != nil {
			log.Fatal(err)
		}
		store, err := certs.OpenStore(certs.StoreConfig{CApath: capath})
		if err != nil {
			log.Fatal(err)
		}
		return &certs.Endpoint{Store: store, Credential: credential}
	}
	return endpoint("master.domain.one"), endpoint("slave.domain.two")
}

// exampleDatabase greets one client.
func exampleDatabase() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		if conn, err := listener.Accept(); err == nil {
			_, _ = io.WriteString(conn, "welcome")
			_ = conn.Close()
		}
	}()
	return listener
}

// exampleTunnel is a tunnel that serves until it is closed.
type exampleTunnel struct {
	*tunnel.Tunnel
	served chan error
}

func serveExample(config tunnel.Config) exampleTunnel {
	t, err := tunnel.New(config)
	if err != nil {
		log.Fatal(err)
	}
	if err := t.Listen(context.Background()); err != nil {
		log.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- t.Serve(context.Background()) }()
	return exampleTunnel{Tunnel: t, served: served}
}

// Close ends the tunnel and waits for its end.
func (t exampleTunnel) Close() error {
	if err := t.Tunnel.Close(); err != nil {
		return err
	}
	return <-t.served
}

func parse(text string) tunnel.Address {
	address, err := tunnel.ParseAddress(text)
	if err != nil {
		log.Fatal(err)
	}
	return address
}

func ExampleAddress() {
	for _, text := range []string{"3307", "localhost:3306", "[2001:db8::1]:3307", "unix:/run/mysqld/mysqld.sock"} {
		address, err := tunnel.ParseAddress(text)
		fmt.Println(address, address.IsLoopback(), err)
	}
	_, err := tunnel.ParseAddress("db1.domain.one")
	fmt.Println(err)
	// Output:
	// :3307 false <nil>
	// localhost:3306 true <nil>
	// [2001:db8::1]:3307 false <nil>
	// unix:/run/mysqld/mysqld.sock true <nil>
	// address "db1.domain.one": it has no port; write port, :port, host:port, [v6]:port or unix:/path
}

// Every mistake is found at once, with its cure.
func ExampleConfig_Check() {
	config := tunnel.Config{
		Role: tunnel.Client, Accept: parse("0.0.0.0:3307"), Connect: []tunnel.Address{parse("master.domain.one:0")},
		Timeouts: tunnel.Timeouts{Dial: -1},
		Limits:   tunnel.DefaultLimits(),
	}
	for _, mistake := range config.Check() {
		fmt.Println(mistake)
		fmt.Println("  hint:", mistake.Hint())
	}
	// Output:
	// connect: master.domain.one:0: nothing can be reached at port 0
	//   hint: write the port that the target listens on
	// accept: other hosts could send clear text to 0.0.0.0:3307
	//   hint: write 127.0.0.1:3307, or set unsafe-plaintext if the network between is yours alone
	// dial-timeout: it is negative
	//   hint: remove it to have the default
}
