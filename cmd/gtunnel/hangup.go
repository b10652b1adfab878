package main

import (
	"os"
	"os/signal"
	"syscall"
)

// watchHangups tells the two meanings of SIGHUP apart until end is called: it
// comes out of reload, or goes to stop, once, if the terminal of this process
// is gone. A service, a process in the background of nohup(1) and one whose
// terminal is still there reload.
func watchHangups(stop chan<- os.Signal) (reload <-chan os.Signal, end func()) {
	// nohup leaves SIGHUP ignored; then it is no word of the terminal.
	attended := !signal.Ignored(syscall.SIGHUP) && hasTerminal()
	received, reloads, over := make(chan os.Signal, 1), make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(received, syscall.SIGHUP)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-over:
				return
			case s := <-received:
				if attended && !hasTerminal() {
					select {
					case stop <- s: // once: a shell and the kernel may both send it
					case <-over:
					}
					return
				}
				select {
				case reloads <- s:
				default: // one is waiting, and will see the same files
				}
			}
		}
	}()
	return reloads, func() {
		signal.Stop(received)
		close(over)
		<-ended
	}
}

// hasTerminal reports whether this process has a controlling terminal: the kernel
// takes it away before it sends SIGHUP for its end (tty_ioctl(4), TIOCNOTTY;
// setsid(2)).
func hasTerminal() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDONLY|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	_ = tty.Close() // only asked whether it is there
	return true
}
