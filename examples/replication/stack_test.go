package replication_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// How long a command, or a condition, may take on a busy machine.
const patience = time.Minute

// stack is the example, running under a project name of its own.
type stack struct {
	ctx     context.Context // ends before the test does, so that there is time to remove everything
	docker  string          // the client
	project string
}

// start runs ./up and arranges that nothing of it stays but the images.
func start(t *testing.T) *stack {
	t.Helper()
	t.Attr("needs", "docker")
	if testing.Short() {
		t.Skip("left out by -short: needs Docker")
	}
	s := &stack{
		docker:  "docker",
		project: "gtunnel-test-" + strings.ToLower(rand.Text()[:10]),
	}
	if _, err := os.Stat("/usr/bin/docker"); err == nil {
		s.docker = "/usr/bin/docker" // as ./up does
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	t.Cleanup(cancel)
	s.ctx = ctx

	if _, err := s.run("version"); err != nil {
		missing(t, "no Docker engine answers: %v", err)
	}
	if _, err := s.run("compose", "version"); err != nil {
		if _, err := exec.LookPath("docker-compose"); err != nil {
			missing(t, "no docker-compose: %v", err)
		}
	}
	t.Cleanup(func() {
		s.ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if t.Failed() {
			s.log(t)
		}
		s.remove(t)
	})
	s.up(t)
	return s
}

// missing skips the test, except in CI, which has to have everything.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// up runs ./up.
func (s *stack) up(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(s.ctx, "./up")
	cmd.Env = append(os.Environ(), "COMPOSE_PROJECT_NAME="+s.project)
	// What the script started ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	begin := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("./up: %v\n%s", err, out)
	}
	if !bytes.Contains(out, []byte("The replication runs")) {
		t.Fatalf("./up does not say that the replication runs:\n%s", out)
	}
	t.Logf("./up took %v", time.Since(begin).Round(time.Second))
}

// run runs a docker command and gives what it printed, without the last line
// end. The error holds what it complained about.
func (s *stack) run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.docker, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSuffix(stdout.String(), "\n"), nil
}

// mustRun is run for what has to work.
func (s *stack) mustRun(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.run(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// list gives the lines that a docker command prints about this project.
func (s *stack) list(args ...string) ([]string, error) {
	out, err := s.run(append(args, "--filter", "label=com.docker.compose.project="+s.project)...)
	return strings.Fields(out), err
}

// container gives the id of a service's container.
func (s *stack) container(t *testing.T, service string) string {
	t.Helper()
	ids, err := s.list("ps", "-a", "-q", "--filter", "label=com.docker.compose.service="+service)
	if err == nil && len(ids) != 1 {
		err = fmt.Errorf("%d containers", len(ids))
	}
	if err != nil {
		t.Fatalf("the container of %s: %v", service, err)
	}
	return ids[0]
}

// sql runs a statement on a database and gives its rows, a line each.
func (s *stack) sql(t *testing.T, service, statement string) (string, error) {
	t.Helper()
	return s.run("exec", s.container(t, service), "mariadb", "--batch", "--skip-column-names", "-e", statement)
}

// eventually waits until try has no error.
func (s *stack) eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) || s.ctx.Err() != nil {
			t.Fatalf("%s: %v", what, errors.Join(err, s.ctx.Err()))
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// log shows the containers' state and the end of their logs.
func (s *stack) log(t *testing.T) {
	t.Helper()
	ids, err := s.list("ps", "-a", "-q")
	if err != nil {
		t.Log(err)
	}
	for _, id := range ids {
		state, err := s.run("inspect", "-f", `{{.Name}} {{.State.Status}}, exit code {{.State.ExitCode}}`, id)
		if err != nil {
			t.Log(err)
			continue
		}
		// Programs log on both outputs.
		cmd := exec.CommandContext(s.ctx, s.docker, "logs", "--tail", "40", id)
		out, err := cmd.CombinedOutput()
		t.Logf("---- %s (%v)\n%s", state, err, out)
	}
}

// remove removes the containers, volumes and networks, and fails the test if
// one stays.
func (s *stack) remove(t *testing.T) {
	t.Helper()
	for _, kind := range []struct{ list, remove []string }{
		{[]string{"ps", "-a", "-q"}, []string{"rm", "-f", "-v"}},
		{[]string{"volume", "ls", "-q"}, []string{"volume", "rm", "-f"}},
		{[]string{"network", "ls", "-q"}, []string{"network", "rm"}},
	} {
		ids, err := s.list(kind.list...)
		if err == nil && len(ids) > 0 {
			_, err = s.run(append(kind.remove, ids...)...)
		}
		if err != nil {
			t.Errorf("project %s is not wholly removed: %v", s.project, err)
		}
		if ids, err = s.list(kind.list...); err != nil || len(ids) > 0 {
			t.Errorf("of project %s there is left: %v (%v)", s.project, ids, err)
		}
	}
}
