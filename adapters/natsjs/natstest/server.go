// Package natstest runs a real nats-server as a process of its own, which tests may kill, pause and start again on its files.
package natstest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// binary finds the nats-server of go.mod, building it where the build cache does not have it.
var binary = sync.OnceValues(func() (string, error) {
	var stderr bytes.Buffer
	cmd := exec.Command("go", "tool", "-n", "github.com/nats-io/nats-server/v2")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("build nats-server: %w: %s", err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
})

// Server is a nats-server process with JetStream. It keeps its address and its files over Kill and Start.
type Server struct {
	t       testing.TB
	binary  string
	address string
	dir     string
	more    string // of the configuration
	process *exec.Cmd
	ended   chan error
}

// Start runs a server on a free port until the test ends. more are further lines of its jetstream block.
func Start(t testing.TB, more ...string) *Server {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, binary: path, address: freeAddress(t), dir: t.TempDir(), more: strings.Join(more, "\n")}
	s.Start()
	t.Cleanup(func() {
		if s.process != nil {
			s.Kill()
		}
	})
	return s
}

// freeAddress gives a loopback address nobody listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// Dir is the folder of the server's files.
func (s *Server) Dir() string { return s.dir }

// URL is the server's broker URL.
func (s *Server) URL() string { return "nats://" + s.address }

// Start starts the server again after Kill or Stop, and waits until it answers.
func (s *Server) Start() {
	s.t.Helper()
	host, port, err := net.SplitHostPort(s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	config := filepath.Join(s.dir, "nats.conf")
	text := fmt.Sprintf("host: %q\nport: %s\njetstream { store_dir: %q, sync_interval: \"1s\"\n%s }\n", host, port,
		filepath.Join(s.dir, "store"), s.more)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	var log bytes.Buffer
	s.process = exec.Command(s.binary, "-c", config)
	s.process.Stderr = &log
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.ended = make(chan error, 1)
	go func(p *exec.Cmd, ended chan error) { ended <- p.Wait() }(s.process, s.ended)
	s.awaitAnswer(&log)
}

// awaitAnswer waits until the server greets a client.
func (s *Server) awaitAnswer(log *bytes.Buffer) {
	s.t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		if greets(s.address) {
			return
		}
		select {
		case err := <-s.ended:
			s.process = nil
			s.t.Fatalf("nats-server ended: %v\n%s", err, log.String())
		case <-deadline.C:
			s.t.Fatal("nats-server does not answer")
		case <-again.C:
		}
	}
}

func greets(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return false
	}
	greeting := make([]byte, 4)
	n, err := conn.Read(greeting)
	return err == nil && string(greeting[:n]) == "INFO"
}

// Kill ends the server with SIGKILL: nothing is written or said any more.
func (s *Server) Kill() { s.end(os.Kill) }

// Stop ends the server with an interrupt: it says good-bye.
func (s *Server) Stop() { s.end(os.Interrupt) }

// Restart kills the server and starts it again.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	s.Start()
}

func (s *Server) end(signal os.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
	<-s.ended
	s.process = nil
}
