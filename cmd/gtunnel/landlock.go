package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/landlock-lsm/go-landlock/landlock"
	kernel "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
)

// Landlock has the kernel refuse a process whatever its configuration does not
// name, root's included, should somebody find a way to make it do other things
// than carry connections. It holds to the end of the process and can only become
// tighter. So it comes when all that is needed once only has been done, and a
// reload that needs more is refused with the word that a restart can have it.
//
// Signals and abstract sockets, which it could restrict too, are left out:
// before Linux 6.15 it took the signals of Go's own scheduler, from one thread
// to another, for foreign ones.

// landlockCalls lets Landlock's calls pass, which systemd has in @sandbox (from version 255 on),
// and not in @system-service.
const landlockCalls = "SystemCallFilter=landlock_create_ruleset landlock_add_rule landlock_restrict_self"

// landlockPorts is the version of Landlock's interface that first restricts TCP.
const landlockPorts = 4

// landlocked is what Landlock allows a process.
type landlocked struct {
	rules landlockRules
	files bool // are restricted; nothing is otherwise
	ports bool // are restricted too

	started config.Config
	getenv  func(string) string
}

// restrict restricts this process, as far as the configuration wants it and the
// kernel can, and says in one line of the log what is in force. It is to be called
// once, and never in a process that is not this run's own.
func (m *Main) restrict(c *config.Config, logger *zap.Logger) landlocked {
	none := func(reason, cure string) landlocked {
		fields := []zap.Field{zap.String("reason", reason)}
		if cure != "" {
			fields = append(fields, zap.String("cure", cure))
		}
		logger.Info("landlock is not in force", fields...)
		return landlocked{}
	}
	if !m.OwnProcess {
		return landlocked{}
	}
	if c.Landlock == config.LandlockOff {
		return none("it is off", "")
	}
	version, err := kernel.LandlockGetABIVersion()
	switch {
	case errors.Is(err, syscall.EPERM):
		return none("a filter of system calls forbids it", "write "+landlockCalls+
			" into the systemd unit (systemctl edit), as those of gtunnel have it")
	case err != nil || version < 1:
		return none("this kernel has none, or not among its security modules",
			"Linux 5.13 and later can have it: cat /sys/kernel/security/lsm shows it where it is on")
	}
	_, _ = time.Now().Zone() // has its file read, which it does once
	l := landlocked{
		rules: landlockRulesOf(c, m.Getenv).resolved(), started: *c, getenv: m.Getenv,
		files: true, ports: c.Landlock == config.LandlockOn && version >= landlockPorts,
	}
	if err := l.enforce(); err != nil {
		return none(err.Error(), "")
	}
	ports := "restricted"
	switch {
	case c.Landlock != config.LandlockOn:
		ports = "free: [landlock] mode = \"on\" restricts them too"
	case !l.ports:
		ports = "free: Linux 6.7 and later can restrict them"
	}
	logger.Info("landlock is in force", zap.Int("abi", version), zap.Strings("read", l.rules.read),
		zap.Strings("log", l.rules.logs), zap.Strings("sockets", l.rules.sockets), zap.String("ports", ports),
		zap.Uint16s("bind", l.rules.bind), zap.Uint16s("connect", l.rules.connect))
	return l
}

// What the kernel is asked to refuse: all that Landlock knows of files up to its
// fifth version, and TCP. The rights of a rule are those that it gives back.
const (
	readFiles   = kernel.AccessFSReadFile | kernel.AccessFSReadDir
	appendFiles = kernel.AccessFSWriteFile | kernel.AccessFSMakeReg
	makeSockets = kernel.AccessFSMakeSock | kernel.AccessFSRemoveFile

	// ofOneFile are those of these rights that a file can have.
	ofOneFile = kernel.AccessFSReadFile | kernel.AccessFSWriteFile
)

// enforce has the kernel restrict every thread of this process.
func (l *landlocked) enforce() error {
	what := landlock.Config{HandledAccessFS: landlock.V5.HandledAccessFS}
	var rules []landlock.Rule
	for _, kind := range []struct {
		access landlock.AccessFSSet
		paths  []string
	}{
		{access: readFiles, paths: l.rules.read},
		{access: appendFiles, paths: l.rules.logs},
		{access: makeSockets, paths: l.rules.sockets},
		{access: kernel.AccessFSRemoveFile, paths: l.rules.removed},
	} {
		for _, path := range kind.paths {
			access := kind.access
			if info, err := os.Stat(path); err == nil && !info.IsDir() {
				access &= ofOneFile
			}
			rules = append(rules, landlock.PathAccess(access, path).IgnoreIfMissing())
		}
	}
	if l.ports {
		what.HandledAccessNet = landlock.V4.HandledAccessNet
		for _, port := range l.rules.bind {
			rules = append(rules, landlock.BindTCP(port))
		}
		for _, port := range l.rules.connect {
			rules = append(rules, landlock.ConnectTCP(port))
		}
	}
	return what.BestEffort().Restrict(rules...)
}

// checkReload refuses a sound configuration that needs more than the process may
// do. What only a restart puts in force does not count.
func (l *landlocked) checkReload(c config.Config) error {
	if !l.files || len(c.Faults()) > 0 {
		return nil
	}
	c.Admin, c.LogFile, c.PidFile = l.started.Admin, l.started.LogFile, l.started.PidFile
	cure := "restart the service: then it may"
	needs, ports := l.rules.beyond(landlockRulesOf(&c, l.getenv))
	if l.ports && len(ports) > 0 {
		needs = append(needs, ports...)
		cure += `; with [landlock] mode = "files", a reload can have other ports`
	}
	if len(needs) == 0 {
		return nil
	}
	return &usage.Error{
		Where:   c.File(),
		Message: "needs what Landlock has refused this process since its start: " + strings.Join(needs, ", "), Cure: cure,
	}
}

// explain adds to the cure of an error at a reload that it may come of Landlock.
func (l *landlocked) explain(err error) error {
	if !l.files || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	const restart = "if the user of the process may do this, Landlock refuses it, because it is in no folder " +
		"that the process knew at its start: restart the service"
	if cure := usage.HintOf(err); cure != "" {
		return usage.WithHint(err, cure+"; "+restart)
	}
	return usage.WithHint(err, restart)
}
