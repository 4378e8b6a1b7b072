package main

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

// machine describes the hardware and software of a run. It contains no host name.
type machine struct {
	Processor  string  `json:"processor"`
	Cores      int     `json:"cores"`
	MemoryGiB  float64 `json:"memory_gib"`
	System     string  `json:"system"`
	Go         string  `json:"go"`
	MariaDB    string  `json:"mariadb"`
	FlushLog   string  `json:"innodb_flush_log_at_trx_commit"`
	BinaryLog  string  `json:"log_bin"`
	NATSServer string  `json:"nats_server"`
}

// describeMachine returns the machine that this program runs on.
func describeMachine(ctx context.Context, h *harness) (machine, error) {
	m := machine{
		Processor: readField("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH,
		Go: runtime.Version(),
	}
	kib, err := strconv.ParseFloat(strings.TrimSuffix(readField("/proc/meminfo", "MemTotal"), " kB"), 64)
	if err == nil {
		m.MemoryGiB = float64(int(kib/(1<<20)*10)) / 10
	}
	db, err := h.openMariaDB("", 1)
	if err != nil {
		return m, err
	}
	defer db.Close()
	err = db.QueryRowContext(ctx, "SELECT VERSION(), @@innodb_flush_log_at_trx_commit, @@log_bin").Scan(&m.MariaDB, &m.FlushLog, &m.BinaryLog)
	if err != nil {
		return m, err
	}
	version, err := exec.CommandContext(ctx, h.natsServer, "--version").Output()
	m.NATSServer = strings.TrimPrefix(strings.TrimSpace(string(version)), "nats-server: ")
	return m, err
}

// readField returns the first value of name in a file with lines of the form "name: value". It returns "" if there is none.
func readField(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		key, value, found := strings.Cut(line, ":")
		if found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
