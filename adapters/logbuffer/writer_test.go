package logbuffer_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/millrace/millrace/adapters/logbuffer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const waitFor = time.Minute // no machine is so slow

// sink is an underlying writer that can stand still and fail.
type sink struct {
	mu   sync.Mutex // held: it stands still
	got  bytes.Buffer
	fail error
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return 0, s.fail
	}
	return s.got.Write(p)
}

func (s *sink) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

func (s *sink) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.SplitAfter(strings.TrimSuffix(s.got.String(), "\n"), "\n")
}

func notice(lines uint64) []byte { return fmt.Appendf(nil, "lost %d\n", lines) }

func line(i int) string { return fmt.Sprintf("line %06d\n", i) }

const lineSize = len("line 000000\n")

func TestLinesKeepTheirOrderAndAreAllWrittenAtTheEnd(t *testing.T) {
	t.Parallel()
	s := &sink{}
	w := logbuffer.New(s, logbuffer.Config{Notice: notice})
	var want strings.Builder
	for i := range 50_000 {
		want.WriteString(line(i))
		_, err := fmt.Fprint(w, line(i))
		require.NoError(t, err)
	}
	require.True(t, w.Close(waitFor))
	require.Equal(t, want.String(), s.got.String())
	require.Zero(t, w.Lost())
}

func TestWriteDoesNotBlockOnAReaderThatHangs(t *testing.T) {
	t.Parallel()
	s := &sink{}
	s.mu.Lock()
	w := logbuffer.New(s, logbuffer.Config{Size: 100 * lineSize, Notice: notice})
	for i := range 1000 {
		_, err := fmt.Fprint(w, line(i))
		require.NoError(t, err)
	}
	require.EqualValues(t, 900, w.Lost())
	require.False(t, w.Close(time.Millisecond), "nothing was written")
	s.mu.Unlock()
	require.True(t, w.Close(waitFor))

	got := s.lines()
	require.Len(t, got, 101)
	for i := range 100 {
		require.Equal(t, line(i), got[i])
	}
	require.Equal(t, "lost 900", got[100], "the gap is told at its place")
}

func TestLogContinuesAfterAGap(t *testing.T) {
	t.Parallel()
	s := &sink{}
	s.mu.Lock()
	w := logbuffer.New(s, logbuffer.Config{Size: 10 * lineSize, Notice: notice})
	for i := range 30 {
		fmt.Fprint(w, line(i))
	}
	s.mu.Unlock()
	require.Eventually(t, func() bool { return len(s.lines()) == 11 }, waitFor, time.Millisecond, "told though nobody writes any more")
	fmt.Fprint(w, line(99))
	require.True(t, w.Close(waitFor))
	got := s.lines()
	require.Equal(t, []string{"lost 20\n", strings.TrimSuffix(line(99), "\n")}, got[10:])
	require.EqualValues(t, 20, w.Lost())
}

func TestFailedWritesAreCountedAndReportedOnceLinesGetThrough(t *testing.T) {
	t.Parallel()
	s := &sink{}
	s.set(errors.New("broken pipe"))
	w := logbuffer.New(s, logbuffer.Config{Size: 10 * lineSize, Notice: notice})
	for i := 1; i <= 40; i++ {
		fmt.Fprint(w, line(i))
		require.Eventually(t, func() bool { return w.Lost() == uint64(i) }, waitFor, time.Millisecond)
	}
	s.set(nil)
	fmt.Fprint(w, line(41))
	require.True(t, w.Close(waitFor))
	require.Equal(t, line(41)+"lost 40\n", s.got.String())
}

func TestOversizedLineIsDroppedAlone(t *testing.T) {
	t.Parallel()
	s := &sink{}
	w := logbuffer.New(s, logbuffer.Config{Size: 10 * lineSize, Notice: notice})
	fmt.Fprint(w, strings.Repeat("x", 11*lineSize)+"\n")
	fmt.Fprint(w, line(1))
	require.True(t, w.Close(waitFor))
	require.Equal(t, line(1)+"lost 1\n", s.got.String())
}

// A pipe takes up to 4096 bytes as a whole: lines of two processes do not mix.
func TestLinesAreWrittenWhole(t *testing.T) {
	t.Parallel()
	s := &pieces{}
	w := logbuffer.New(s, logbuffer.Config{})
	for i := range 5000 {
		fmt.Fprint(w, strings.Repeat("x", i%200)+"\n")
	}
	fmt.Fprint(w, strings.Repeat("y", 10_000)+"\n")
	fmt.Fprint(w, "z\n")
	require.True(t, w.Close(waitFor))
	for _, p := range s.all {
		require.True(t, strings.HasSuffix(p, "\n"))
		if !strings.Contains(p, "y") {
			require.LessOrEqual(t, len(p), 4096)
		}
	}
}

type pieces struct{ all []string }

func (p *pieces) Write(b []byte) (int, error) {
	p.all = append(p.all, string(b))
	return len(b), nil
}

func TestWriterIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	s := &sink{}
	w := logbuffer.New(s, logbuffer.Config{Size: 1000 * lineSize, Notice: notice})
	var writing sync.WaitGroup
	for range 8 {
		writing.Go(func() {
			for i := range 2000 {
				fmt.Fprint(w, line(i))
			}
		})
	}
	writing.Wait()
	require.True(t, w.Close(waitFor))
	written := 0
	for _, l := range s.lines() {
		if strings.HasPrefix(l, "line ") {
			written++
		}
	}
	require.EqualValues(t, 16_000, uint64(written)+w.Lost())
}
