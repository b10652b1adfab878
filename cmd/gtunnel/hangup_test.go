package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal/terminaltest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestHangup: in a terminal SIGHUP reloads as long as the terminal is there,
// and stops in order when it is gone; behind nohup it reloads even then.
func TestHangup(t *testing.T) {
	s := newSite(t)
	for name, wrapper := range map[string][]string{"alone": nil, "nohup": {"nohup"}} {
		t.Run(name, func(t *testing.T) {
			far, near := terminaltest.Open(t, 80)
			log := filepath.Join(t.TempDir(), "log")
			out, err := os.Create(log)
			if err != nil {
				t.Fatal(err)
			}
			line := append(append(wrapper, binary(t), "client", "--accept", "127.0.0.1:0", "--connect", "127.0.0.1:1",
				"--capath", s.capath), s.client.flags()...)
			cmd := exec.Command(line[0], line[1:]...)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = near, out, out
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			near.Close()
			out.Close()
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			t.Cleanup(func() {
				cmd.Process.Kill()
				<-ended
			})
			logged := func(message string, times int) {
				t.Helper()
				pairs.WaitFor(t, patience, message, func() (string, bool) {
					text, err := os.ReadFile(log)
					return string(text), err == nil && strings.Count(string(text), message) == times
				})
			}
			logged(" listening ", 1)
			cmd.Process.Signal(syscall.SIGHUP)
			logged("reload: nothing has changed", 1)
			far.Close()
			if name == "nohup" {
				logged("reload: nothing has changed", 2)
				cmd.Process.Signal(syscall.SIGTERM)
				logged(`"signal": "terminated"`, 1)
			} else {
				logged(`"signal": "hangup"`, 1)
			}
			logged(" stopped ", 1)
			if err := <-ended; err != nil {
				t.Errorf("it ended with %v", err)
			}
			ended <- nil // for the clean-up
		})
	}
}
