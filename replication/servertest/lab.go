package servertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
)

// Lab is a folder of servers. Its methods may be called concurrently; Close
// ends the servers.
//
// A Lab prepares each kind once, which takes some seconds, and then copies. So
// the tests of a package share a Lab, made and closed by its TestMain.
type Lab struct {
	dir     string
	account *syscall.Credential // as whom the servers run; nil: as we do
	me      string              // who may log in as the administrator, by the socket

	mu      sync.Mutex
	made    map[Kind]*pristine
	servers map[*Server]bool
}

// pristine is a data directory that no server has used yet.
type pristine struct {
	mu   sync.Mutex
	data string // empty until it is whole
}

// NewLab makes a Lab in a new folder below the one for temporary files.
func NewLab() (*Lab, error) { return NewLabIn("") }

// NewLabIn makes a Lab in a new folder below parent, which the user mysql must
// be able to enter.
func NewLabIn(parent string) (*Lab, error) {
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	l := &Lab{me: me.Username, made: map[Kind]*pristine{}, servers: map[*Server]bool{}}
	if l.account, err = serverAccount(); err != nil {
		return nil, err
	}
	// The paths of sockets must be short (unix(7)), and the account must get
	// to them.
	if l.dir, err = os.MkdirTemp(parent, "gtunnel-lab-"); err != nil {
		return nil, err
	}
	return l, os.Chmod(l.dir, 0o711)
}

// serverAccount is the account that servers run as: mysql if we are root, which
// they refuse to be, otherwise nil.
func serverAccount() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // we are the account
	}
	account, err := user.Lookup("mysql")
	if err != nil {
		return nil, &hintError{error: err, hint: "run .ci/install mariadb, or: useradd --system mysql"}
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("the user mysql: %w", err)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("the user mysql: %w", err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// hintError is an error with what to do about it.
type hintError struct {
	error
	hint string
}

func (e *hintError) Unwrap() error { return e.error }

// Hint is what to do.
func (e *hintError) Hint() string { return e.hint }

// Close kills all servers and removes the folder.
func (l *Lab) Close() error {
	l.mu.Lock()
	servers := slices.Collect(maps.Keys(l.servers))
	l.mu.Unlock()
	var errs []error
	for _, s := range servers {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(l.dir))...)
}

// newFolder makes a folder that belongs to the servers' account: dir or, if that
// is empty, one of the Lab.
func (l *Lab) newFolder(dir string) (string, error) {
	var err error
	if dir == "" {
		dir, err = os.MkdirTemp(l.dir, "")
	} else {
		err = os.Mkdir(dir, 0o755)
	}
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	if l.account == nil {
		return dir, nil
	}
	return dir, os.Chown(dir, int(l.account.Uid), int(l.account.Gid))
}

// command prepares a program that runs as the servers' account in dir. It has a
// process group of its own, so that Ctrl-C at a terminal reaches us alone, and
// the kernel kills it when the thread that starts it ends: when we do.
func (l *Lab) command(ctx context.Context, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: l.account, Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+dir, "HOME="+dir)
	return cmd
}

// run runs a program until it ends, with its output in the error.
func (l *Lab) run(ctx context.Context, dir, program string, args ...string) error {
	runtime.LockOSThread() // it must not end before the program
	defer runtime.UnlockOSThread()
	cmd := l.command(ctx, dir, program, args...)
	// Some are scripts: what they started must not write any more either.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(program), errors.Join(ctx.Err(), err), out)
	}
	return nil
}

// pristine gives the data directory of a kind, and makes it if nobody has.
func (l *Lab) pristine(ctx context.Context, kind Kind) (string, error) {
	l.mu.Lock()
	p := l.made[kind]
	if p == nil {
		p = &pristine{}
		l.made[kind] = p
	}
	l.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.data != "" {
		return p.data, nil
	}
	dir, err := l.newFolder("")
	if err != nil {
		return "", err
	}
	data := filepath.Join(dir, "data")
	if err := l.initialize(ctx, kind, dir, data); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	p.data = data
	return data, nil
}

// initialize makes the tables of a server. The administrator root, or on
// MariaDB the user that runs us, may log in by the socket without a password.
func (l *Lab) initialize(ctx context.Context, kind Kind, dir, data string) error {
	if kind.IsMySQL() {
		mysqld, err := kind.Find("mysqld")
		if err != nil {
			return err
		}
		return l.run(ctx, dir, mysqld, "--no-defaults", "--initialize-insecure", "--datadir="+data,
			"--innodb-redo-log-capacity=16M")
	}
	install, err := kind.Find("mariadb-install-db")
	if err != nil {
		return err
	}
	args := []string{
		"--no-defaults", "--datadir=" + data, "--skip-test-db", "--skip-name-resolve",
		"--auth-root-authentication-method=socket", "--auth-root-socket-user=" + l.me,
	}
	if kind != MariaDB {
		args = append(args, "--basedir="+filepath.Join(filepath.Dir(kind.folder()), "usr"))
	}
	return l.run(ctx, dir, install, args...)
}

// copyData gives a server a copy of the kind's data directory, and an identity
// of its own.
func (l *Lab) copyData(ctx context.Context, kind Kind, dir, data string) error {
	from, err := l.pristine(ctx, kind)
	if err != nil {
		return err
	}
	if err := l.run(ctx, dir, "/bin/cp", "-a", "--reflink=auto", from, data); err != nil {
		return err
	}
	err = os.Remove(filepath.Join(data, "auto.cnf")) // the server_uuid
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
