package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// process is a program that is started, killed, paused and started again.
type process struct {
	name string
	dir  string // where its log goes
	argv []string
	env  []string
	// ready answers nil once the process does its work.
	ready func(ctx context.Context) error

	mu      sync.Mutex
	cmd     *exec.Cmd
	done    chan struct{} // closed when the current run has ended
	asked   bool          // whether that end is ours
	strange []string      // ends that nobody asked for
}

// start runs the program. Its output is added to NAME.log.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := os.OpenFile(filepath.Join(p.dir, p.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stdout, cmd.Stderr = log, log
	// A group of its own: Ctrl-C ends this program, which then ends them in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.cmd, p.done, p.asked = cmd, make(chan struct{}), false
	go p.wait(cmd, p.done)
	return nil
}

// wait notes the end of one run. A service that ends by itself is a finding, whatever it printed.
func (p *process) wait(cmd *exec.Cmd, done chan struct{}) {
	err := cmd.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.asked {
		p.strange = append(p.strange, fmt.Sprintf("%s ended by itself: %v", p.name, err))
	}
	close(done)
}

// signal sends s to the current run. ending says that the run is expected to end of it.
func (p *process) signal(s os.Signal, ending bool) (done <-chan struct{}, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil, fmt.Errorf("%s was never started", p.name)
	}
	p.asked = p.asked || ending
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return nil, fmt.Errorf("signal %s: %w", p.name, err)
	}
	return p.done, nil
}

// kill ends the run at once and waits until it is gone.
func (p *process) kill() error {
	done, err := p.signal(syscall.SIGKILL, true)
	if err == nil {
		<-done
	}
	return err
}

// pause stops the process where it stands, between two of its instructions.
func (p *process) pause() error {
	_, err := p.signal(syscall.SIGSTOP, false)
	return err
}

// resume lets a paused process go on.
func (p *process) resume() error {
	_, err := p.signal(syscall.SIGCONT, false)
	return err
}

// stop asks the process to end and wants exit code 0 within limit; what is late is killed.
func (p *process) stop(limit time.Duration) error {
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
	if err := p.resume(); err != nil { // a paused process would never hear it
		return err
	}
	select {
	case <-done:
	case <-time.After(limit):
		return errors.Join(fmt.Errorf("%s did not stop within %s", p.name, limit), p.kill())
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s stopped with exit code %d", p.name, code)
	}
	return nil
}

// awaitReady waits until the process does its work.
func (p *process) awaitReady(ctx context.Context, limit time.Duration) error {
	err := eventually(ctx, limit, func(ctx context.Context) error { return p.ready(ctx) })
	if err != nil {
		return fmt.Errorf("%s is not ready: %w", p.name, err)
	}
	return nil
}

// ends gives the ends that nobody asked for.
func (p *process) ends() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.strange...)
}
