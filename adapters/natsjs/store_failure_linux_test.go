package natsjs_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/natsjs"
)

// inChild runs a test in a process of its own: what it uses up is missing to nobody else.
const inChild = "MILLRACE_TEST_IN_CHILD"

func child(t *testing.T, test string, env ...string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(append(os.Environ(), inChild+"=1"), env...)
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Run(), "%s", &out)
	require.Contains(t, out.String(), "--- PASS: "+test, "%s", &out)
}

func skipOutsideChild(t *testing.T) {
	t.Helper()
	if os.Getenv(inChild) == "" {
		t.Skip("runs in a process of its own")
	}
}

func TestEmbeddedServerComesBackWhenThereAreDescriptorsAgain(t *testing.T) {
	t.Parallel()
	child(t, "TestChildOutOfDescriptors")
}

func TestEmbeddedServerComesBackWhenThereIsStorageAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("a small disk cannot be mounted: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	child(t, "TestChildOutOfStorage", "MILLRACE_TEST_DISK="+dir)
}

// store is an embedded server under load.
type store struct {
	t         *testing.T
	publisher *natsjs.Publisher
	log       *journal
	held      map[string]uint64 // acknowledged, by ID
}

func openStore(t *testing.T, dir string) *store {
	t.Helper()
	s := &store{t: t, log: &journal{}, held: map[string]uint64{}}
	logger := slog.New(slog.NewTextHandler(s.log, nil))
	server, err := natsjs.StartEmbedded(natsjs.EmbeddedConfig{Dir: dir, Logger: logger})
	require.NoError(t, err)
	t.Cleanup(server.Shutdown)
	conn, err := server.Connect(t.Context(), natsjs.Config{Name: "store", Logger: logger})
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	require.NoError(t, conn.EnsureStreams(t.Context(), natsjs.Streams{}))
	s.publisher = newPublisher(t, conn, natsjs.PublisherConfig{})
	return s
}

func (s *store) publish(size int) error {
	id := uuid.NewString()
	answer := make(chan error, 1)
	s.publisher.PublishAsync(topic, message.NewMessage(id, make([]byte, size)), func(sequence uint64, err error) {
		if err == nil {
			s.held[id] = sequence // one at a time
		}
		answer <- err
	})
	return <-answer
}

// untilRefused publishes until the store takes nothing any more.
func (s *store) untilRefused(size int) {
	s.t.Helper()
	for range 2000 {
		if s.publish(size) != nil {
			return
		}
	}
	s.t.Fatal("the store took everything")
}

// recovered requires that the store takes messages again by itself, and still has everything that it acknowledged.
func (s *store) recovered() {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.publish(10) == nil }, 90*time.Second, 100*time.Millisecond, "%s", s.log.String())
	for id, at := range s.held {
		held, err := s.publisher.Holds(s.t.Context(), topic, at, id)
		require.NoError(s.t, err)
		require.True(s.t, held, "message %d of %d acknowledged was lost\n%s", at, len(s.held), s.log.String())
	}
	require.Contains(s.t, s.log.String(), "embedded broker was started again on its files")
}

func TestChildOutOfDescriptors(t *testing.T) {
	skipOutsideChild(t)
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	limit.Cur = 160
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	s := openStore(t, t.TempDir())
	for range 20 {
		require.NoError(t, s.publish(500_000))
	}
	var taken []int
	for {
		fd, err := syscall.Open(os.DevNull, syscall.O_RDONLY, 0)
		if errors.Is(err, syscall.EMFILE) {
			break
		}
		require.NoError(t, err)
		taken = append(taken, fd)
	}
	s.untilRefused(500_000)
	for _, fd := range taken {
		require.NoError(t, syscall.Close(fd))
	}
	s.recovered()
}

func TestChildOutOfStorage(t *testing.T) {
	skipOutsideChild(t)
	disk := os.Getenv("MILLRACE_TEST_DISK")
	s := openStore(t, filepath.Join(disk, "nats"))
	for range 10 {
		require.NoError(t, s.publish(500_000))
	}
	filler := filepath.Join(disk, "filler")
	f, err := os.Create(filler)
	require.NoError(t, err)
	for err == nil {
		_, err = f.Write(make([]byte, 64<<10))
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, f.Close())
	s.untilRefused(500_000)
	require.NoError(t, os.Remove(filler))
	s.recovered()
}
