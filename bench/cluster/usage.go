package cluster

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the kernel's unit of a process's time, the same on every Linux that Go runs on.
const tick = 10 * time.Millisecond

var errNotRunning = errors.New("the process does not run")

// CPU is the time that the current run has spent on a processor. It needs Linux's /proc.
func (p *Process) CPU() (time.Duration, error) {
	text, err := p.proc("stat")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(text, ") ") // behind the name, which may hold anything
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("%s: a stat of %d fields", p.Name, len(fields))
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, err
}

// Memory is what the current run has in memory, in bytes, and the most that it had. It needs Linux's /proc.
func (p *Process) Memory() (resident, peak int64, err error) {
	text, err := p.proc("status")
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			continue
		}
		kib, convErr := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "VmRSS:":
			resident, err = kib<<10, errors.Join(err, convErr)
		case "VmHWM:":
			peak, err = kib<<10, errors.Join(err, convErr)
		}
	}
	return resident, peak, err
}

// proc reads a file of the kernel about the current run.
func (p *Process) proc(file string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return "", fmt.Errorf("%s: %w", p.Name, errNotRunning)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file))
	return string(text), err
}
