package cluster

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

// Process is a program that is started, killed, paused and started again.
type Process struct {
	Name string
	Dir  string // where its log goes
	Argv []string
	Env  []string
	// Ready answers nil once the process does its work.
	Ready func(ctx context.Context) error

	mu      sync.Mutex
	cmd     *exec.Cmd
	done    chan struct{} // closed when the current run has ended
	asked   bool          // whether that end is ours
	strange []string      // ends that nobody asked for
}

// Start runs the program. Its output is added to NAME.log.
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
	// A group of its own: Ctrl-C ends this program, which then ends them in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	p.cmd, p.done, p.asked = cmd, make(chan struct{}), false
	go p.wait(cmd, p.done)
	return nil
}

// wait notes the end of one run. A service that ends by itself is a finding, whatever it printed.
func (p *Process) wait(cmd *exec.Cmd, done chan struct{}) {
	err := cmd.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.asked {
		p.strange = append(p.strange, fmt.Sprintf("%s ended by itself: %v", p.Name, err))
	}
	close(done)
}

// signal sends s to the current run. ending says that the run is expected to end of it.
func (p *Process) signal(s os.Signal, ending bool) (done <-chan struct{}, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil, fmt.Errorf("%s was never started", p.Name)
	}
	p.asked = p.asked || ending
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return nil, fmt.Errorf("signal %s: %w", p.Name, err)
	}
	return p.done, nil
}

// Kill ends the run at once and waits until it is gone.
func (p *Process) Kill() error {
	done, err := p.signal(syscall.SIGKILL, true)
	if err == nil {
		<-done
	}
	return err
}

// Pause stops the process where it stands, between two of its instructions.
func (p *Process) Pause() error {
	_, err := p.signal(syscall.SIGSTOP, false)
	return err
}

// Resume lets a paused process go on.
func (p *Process) Resume() error {
	_, err := p.signal(syscall.SIGCONT, false)
	return err
}

// Stop asks the process to end and wants exit code 0 within limit; what is late is killed.
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
	if err := p.Resume(); err != nil { // a paused process would never hear it
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

// AwaitReady waits until the process does its work.
func (p *Process) AwaitReady(ctx context.Context, limit time.Duration) error {
	err := Eventually(ctx, limit, func(ctx context.Context) error { return p.Ready(ctx) })
	if err != nil {
		return fmt.Errorf("%s is not ready: %w", p.Name, err)
	}
	return nil
}

// Ends gives the ends that nobody asked for.
func (p *Process) Ends() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.strange...)
}
