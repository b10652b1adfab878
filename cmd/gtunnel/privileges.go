package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"syscall"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
)

// account is whom a process that root has started becomes, once it has read its key and
// has its sockets.
type account struct {
	name   string // for messages
	uid    int
	gid    int
	groups []int // supplementary
}

// findAccount looks up the user and the group that a configuration names, in /etc/passwd
// and /etc/group; nil if it names none.
func findAccount(c *config.Config) (*account, error) {
	if c.User == "" && c.Group == "" {
		return nil, nil //nolint:nilnil // none is wanted
	}
	if c.User == "" {
		return nil, c.ProcessError("group", "is of no use without a user", "name the user, too")
	}
	found, err := user.Lookup(c.User)
	if err != nil {
		found, err = user.LookupId(c.User)
	}
	if err != nil {
		return nil, c.ProcessError("user", fmt.Sprintf("there is no user %s in /etc/passwd", c.User),
			"make one: useradd --system --no-create-home --shell /usr/sbin/nologin "+c.User)
	}
	a := &account{name: found.Username, uid: idNumber(found.Uid), gid: idNumber(found.Gid)}
	if a.uid == 0 {
		return nil, c.ProcessError("user", "is root, who may do everything", "name a user of gtunnel's own, or leave it out")
	}
	ids, err := found.GroupIds()
	if err != nil {
		return nil, c.ProcessError("user", err.Error(), "look at /etc/group")
	}
	for _, id := range ids {
		a.groups = append(a.groups, idNumber(id))
	}
	if c.Group == "" {
		return a, nil
	}
	group, err := user.LookupGroup(c.Group)
	if err != nil {
		group, err = user.LookupGroupId(c.Group)
	}
	if err != nil {
		return nil, c.ProcessError("group", fmt.Sprintf("there is no group %s in /etc/group", c.Group),
			"make one: groupadd --system "+c.Group)
	}
	a.gid = idNumber(group.Gid)
	return a, nil
}

// idNumber reads a user's or a group's number, as package user writes them on Linux.
func idNumber(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic("not a number: " + text)
	}
	return n
}

// become makes every thread of this process the account's, for good. One that is it already,
// because root has started it as that user, stays as it is.
func (a *account) become() error {
	if os.Getuid() == a.uid && os.Geteuid() == a.uid && os.Getgid() == a.gid && os.Getegid() == a.gid {
		return nil
	}
	if os.Geteuid() != 0 {
		return usage.WithHint(fmt.Errorf("only root can become the user %s, and this is the user %d", a.name, os.Geteuid()),
			"start gtunnel as root, or leave --user out")
	}
	// In this order: the user may change neither groups. Go does it for all threads.
	if err := syscall.Setgroups(slices.Compact(slices.Sorted(slices.Values(append(a.groups, a.gid))))); err != nil {
		return fmt.Errorf("become the user %s: setgroups: %w", a.name, err)
	}
	if err := syscall.Setresgid(a.gid, a.gid, a.gid); err != nil {
		return fmt.Errorf("become the user %s: setresgid: %w", a.name, err)
	}
	if err := syscall.Setresuid(a.uid, a.uid, a.uid); err != nil {
		return fmt.Errorf("become the user %s: setresuid: %w", a.name, err)
	}
	if syscall.Setuid(0) == nil {
		return errors.New("this process can become root again: the system keeps its capabilities")
	}
	return nil
}

// leaveRoot writes the pid file and becomes the account that the configuration names, once the
// process has its key and listens. What it made as root and needs again, it gives to the
// account: the file of the log, and the admin sockets, which root may use anyway.
func (p *process) leaveRoot(a *account, admin *adminServer, logger *zap.Logger) (*pidFile, error) {
	var pid *pidFile
	if p.config.PidFile != "" {
		var err error
		if pid, err = writePidFile(p.config.PidFile); err != nil {
			return nil, err
		}
	}
	if a == nil {
		return pid, nil
	}
	mine := []string{p.config.LogFile}
	if admin != nil {
		mine = append(mine, admin.sockets()...)
	}
	for _, path := range mine {
		if path == "" || os.Geteuid() != 0 {
			continue
		}
		if err := os.Lchown(path, a.uid, a.gid); err != nil {
			return pid, fmt.Errorf("give to the user %s: %w", a.name, err)
		}
	}
	if err := a.become(); err != nil {
		return pid, err
	}
	logger.Info("this process is no longer root", zap.String("user", a.name), zap.Int("uid", a.uid), zap.Int("gid", a.gid))
	p.sayUnreadable(logger, a.name)
	return pid, nil
}

// sayUnreadable warns of what a process that has left root cannot read again: it goes on
// with what it has, and only a restart renews that.
func (p *process) sayUnreadable(logger *zap.Logger, name string) {
	for files := range p.credentials {
		for _, file := range []string{files.cert, files.key} {
			if unix.Access(file, unix.R_OK) != nil {
				logger.Warn("its user cannot read a file again: only a restart puts a renewed one in force",
					zap.String("user", name), zap.String("file", file), zap.String("cure", "restart gtunnel after a renewal, "+
						"or have the renewal leave a copy that belongs to "+name+": install -m 0400 -o "+name))
			}
		}
	}
	for trust := range p.stores {
		for _, file := range []string{trust.CApath, trust.CAfile} {
			if file != "" && unix.Access(file, unix.R_OK) != nil {
				logger.Warn("the user of this process cannot read the CAs again: new CAs, CRLs and policies need a restart",
					zap.String("user", name), zap.String("file", file), zap.String("cure", "let every user read them: chmod o+rX"))
			}
		}
	}
}
