package systemd_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// roleVariable has this test program be something else, on a booted host.
const roleVariable = "GTUNNEL_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "database":
		serveDatabase()
	case "visitor":
		if err := visitOnce(context.Background(), os.Args[1], justOnce()); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	case "visitors":
		visit(os.Args[1])
	default:
		os.Exit(m.Run())
	}
}

// greeting is what the database says first, as MySQL does.
const greeting = "hello\n"

// serveDatabase greets who connects to MySQL's port, and says again what it hears.
func serveDatabase() {
	listener, err := net.Listen("tcp", "127.0.0.1:3306")
	if err != nil {
		panic(err)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			defer conn.Close()
			if _, err := io.WriteString(conn, greeting); err == nil {
				_, _ = io.Copy(conn, conn)
			}
		}()
	}
}

// patience is how long a visitor waits for each answer.
const patience = time.Minute

// visit connects to an address again and again, one visitor after the other, beside one that
// stays, until its standard input ends. Then it prints how many had what they came for, and what the others
// had; and how often the one that stays was cut off.
func visit(address string) {
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	cuts := make(chan int)
	go func() {
		cut := 0
		for ctx.Err() == nil {
			if visitOnce(ctx, address, func() bool { return ctx.Err() == nil }) != nil {
				cut++
			}
		}
		cuts <- cut
	}()
	served := 0
	failed := map[string]int{}
	for ctx.Err() == nil {
		err := visitOnce(context.WithoutCancel(ctx), address, justOnce())
		if err != nil {
			failed[err.Error()]++
		} else {
			served++
		}
		time.Sleep(5 * time.Millisecond)
	}
	fmt.Printf("served %d\ncut %d\n", served, <-cuts)
	for reason, times := range failed {
		fmt.Printf("failed %d: %s\n", times, reason)
	}
}

// justOnce is true the first time.
func justOnce() func() bool {
	once := false
	return func() bool { once = !once; return once }
}

// visitOnce connects, is greeted, and has an answer for as long as it goes on.
func visitOnce(ctx context.Context, address string, goOn func() bool) error {
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	reader := bufio.NewReader(conn)
	answer := func(want string) error {
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		got, err := reader.ReadString('\n')
		if err != nil {
			return fmt.Errorf("instead of %q: %w", strings.TrimSpace(want), unnamed(err))
		}
		if got != want {
			return fmt.Errorf("%q instead of %q", got, want)
		}
		return nil
	}
	if err := answer(greeting); err != nil {
		return err
	}
	for n := 0; goOn(); n++ {
		line := fmt.Sprintf("line %d\n", n)
		if _, err := io.WriteString(conn, line); err != nil {
			return fmt.Errorf("write: %w", unnamed(err))
		}
		if err := answer(line); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// unnamed is an error of a connection without its ports, which no two share.
func unnamed(err error) error {
	if e, ok := err.(*net.OpError); ok { //nolint:errorlint // as package net gives it
		return e.Err
	}
	return err
}
