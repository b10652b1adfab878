package tunnel

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// setCongestionControl sets TCP_CONGESTION of tcp(7), if there is a name. Only the
// end that sends uses it.
func setCongestionControl(conn net.Conn, name string) error {
	tcp, ok := conn.(*net.TCPConn)
	if name == "" || !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, name)
	})
	return errors.Join(err, os.NewSyscallError("set the congestion control "+name, failed))
}

// checkCongestionControl tries whether this process may use it.
func (c Config) checkCongestionControl() []*ConfigError {
	if c.CongestionControl == "" {
		return nil
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, c.CongestionControl)
		err = errors.Join(err, unix.Close(fd))
	}
	if err == nil {
		return nil
	}
	found := &ConfigError{Setting: "congestion", Err: err}
	if errors.Is(err, syscall.EPERM) {
		found.Reason = fmt.Sprintf("the kernel lets only root use %s", c.CongestionControl)
		found.Cure = fmt.Sprintf("as root: sysctl -w net.ipv4.tcp_allowed_congestion_control=%q, "+
			"and the same in a file of /etc/sysctl.d",
			strings.TrimSpace(controls("allowed")+" "+c.CongestionControl))
		return []*ConfigError{found}
	}
	found.Reason = fmt.Sprintf("the kernel has no %q: %v", c.CongestionControl, err)
	found.Cure = fmt.Sprintf("it has %s; for bbr, as root: modprobe tcp_bbr, and a line tcp_bbr in a file of "+
		"/etc/modules-load.d", controls("available"))
	return []*ConfigError{found}
}

// controls are the kernel's congestion controls that are available, or allowed; empty
// if it does not tell.
func controls(which string) string {
	names, err := os.ReadFile("/proc/sys/net/ipv4/tcp_" + which + "_congestion_control")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(names))
}
