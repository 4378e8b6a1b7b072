package cluster

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of the CPU times in /proc/PID/stat (USER_HZ). It is 10 ms on every Linux platform that Go supports.
const clockTick = 10 * time.Millisecond

var errNotRunning = errors.New("the process is not running")

// CPUTime returns the user and system CPU time that the current run has used. It requires Linux.
func (p *Process) CPUTime() (time.Duration, error) {
	text, err := p.readProc("stat")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(text, ") ") // the program name in parentheses may contain spaces
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("%s: /proc/PID/stat has only %d fields", p.Name, len(fields))
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick, err
}

// Memory returns the current and the peak resident set size of the current run in bytes. It requires Linux.
func (p *Process) Memory() (resident, peak int64, err error) {
	text, err := p.readProc("status")
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

// readProc reads a file below /proc/PID of the current run.
func (p *Process) readProc(file string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return "", fmt.Errorf("%s: %w", p.Name, errNotRunning)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file))
	return string(text), err
}
