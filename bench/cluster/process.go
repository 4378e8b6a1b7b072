package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Process is a program that can be started, killed, paused and restarted. Its methods are safe for concurrent use.
type Process struct {
	Name string
	Dir  string // where the log file is written
	Argv []string
	Env  []string // added to the environment of this program
	// Ready returns nil when the process is ready to serve.
	Ready func(ctx context.Context) error

	mu              sync.Mutex
	cmd             *exec.Cmd
	done            chan struct{} // closed when the current run has exited
	exitExpected    bool          // whether this program asked the current run to exit
	unexpectedExits []string
}

// Start starts the program. Its output is appended to NAME.log.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := os.OpenFile(filepath.Join(p.Dir, p.Name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.Argv[0], p.Argv[1:]...)
	cmd.Env = append(os.Environ(), p.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	// In its own process group the process receives no SIGINT when the user presses Ctrl-C. This program then stops all in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	p.cmd, p.done, p.exitExpected = cmd, make(chan struct{}), false
	go p.wait(cmd, p.done)
	return nil
}

// wait waits for the current run to exit, and records an unexpected exit.
func (p *Process) wait(cmd *exec.Cmd, done chan struct{}) {
	err := cmd.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.exitExpected {
		p.unexpectedExits = append(p.unexpectedExits, fmt.Sprintf("%s exited unexpectedly: %v", p.Name, err))
	}
	close(done)
}

// signal sends s to the current run. If expectExit is true, the exit that follows is not recorded as unexpected. The returned channel
// is closed when the run has exited.
func (p *Process) signal(s os.Signal, expectExit bool) (done <-chan struct{}, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil, fmt.Errorf("%s was not started", p.Name)
	}
	p.exitExpected = p.exitExpected || expectExit
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return nil, fmt.Errorf("signal %s: %w", p.Name, err)
	}
	return p.done, nil
}

// Kill sends SIGKILL and waits until the process has exited.
func (p *Process) Kill() error {
	done, err := p.signal(syscall.SIGKILL, true)
	if err == nil {
		<-done
	}
	return err
}

// Pause suspends the process with SIGSTOP.
func (p *Process) Pause() error {
	_, err := p.signal(syscall.SIGSTOP, false)
	return err
}

// Resume continues a paused process with SIGCONT.
func (p *Process) Resume() error {
	_, err := p.signal(syscall.SIGCONT, false)
	return err
}

// Stop sends SIGTERM and waits until the process has exited. It returns an error if the exit code is not 0. After limit it kills the
// process and returns an error. A process that was never started is left alone.
func (p *Process) Stop(limit time.Duration) error {
	p.mu.Lock()
	started := p.cmd != nil
	p.mu.Unlock()
	if !started {
		return nil
	}
	done, err := p.signal(syscall.SIGTERM, true)
	if err != nil {
		return err
	}
	if err := p.Resume(); err != nil { // a paused process does not handle SIGTERM
		return err
	}
	select {
	case <-done:
	case <-time.After(limit):
		return errors.Join(fmt.Errorf("%s did not stop within %s", p.Name, limit), p.Kill())
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s stopped with exit code %d", p.Name, code)
	}
	return nil
}

// AwaitReady waits until the process is ready, for at most limit.
func (p *Process) AwaitReady(ctx context.Context, limit time.Duration) error {
	err := Eventually(ctx, limit, func(ctx context.Context) error { return p.Ready(ctx) })
	if err != nil {
		return fmt.Errorf("%s is not ready: %w", p.Name, err)
	}
	return nil
}

// UnexpectedExits returns a description of each exit that this program did not ask for.
func (p *Process) UnexpectedExits() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.unexpectedExits)
}
