package natsjs

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"
)

const (
	storePoll    = time.Second // how often the server is asked whether it still has its streams
	restartMin   = time.Second // before the first new start, so that what was short may come back
	restartMax   = 30 * time.Second
	restartCalm  = 2 * time.Minute // a server that runs for so long begins with the shortest pause again
	spareFiles   = 48              // descriptors that a start needs at once
	spareStorage = 4 << 20         // bytes
)

// supervise starts the server again when its store failed, until Shutdown.
func (e *Embedded) supervise() {
	defer close(e.closed)
	poll := time.NewTicker(storePoll)
	defer poll.Stop()
	pause, began := restartMin, time.Now()
	for {
		reason := "its streams are switched off"
		select {
		case <-e.closing:
			return
		case reason = <-e.log.storeFailed:
		case <-poll.C:
			if e.running().JetStreamEnabled() {
				continue
			}
		}
		if time.Since(began) > restartCalm {
			pause = restartMin
		}
		e.config.Logger.Error("embedded broker's store failed: the broker is started again as soon as there are files and storage to be had",
			slog.String("reason", reason))
		if !e.restart(&pause) {
			return
		}
		began = time.Now()
		e.config.Logger.Warn("embedded broker was started again on its files")
	}
}

// restart stops the server and starts another on its files, trying again until that works. It is false where Shutdown came first.
func (e *Embedded) restart(pause *time.Duration) bool {
	e.stop()
	for {
		select {
		case <-e.closing:
			return false
		case <-time.After(*pause):
		}
		*pause = min(2*(*pause), restartMax)
		err := e.spare()
		if err == nil {
			err = e.start()
		}
		if err == nil {
			err = e.whole()
		}
		if err == nil {
			return true
		}
		e.config.Logger.Warn("embedded broker cannot be started again yet", slog.Any("error", err),
			slog.String("again_in", (*pause).String()))
	}
}

// whole reports what the server could not read of its files. A server that began without one of its streams would let it be made anew.
func (e *Embedded) whole() error {
	reason, failed := e.log.began()
	if !failed {
		return nil
	}
	e.stop()
	return errors.New(reason)
}

// spare reports whether there are the descriptors and the storage that a start needs: one that runs short of them in the middle would leave
// out what it cannot read.
func (e *Embedded) spare() error {
	var files []io.Closer
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	for range spareFiles {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return fmt.Errorf("no descriptors to spare: %w", err)
		}
		files = append(files, f)
	}
	probe, err := os.CreateTemp(e.config.Dir, "probe-*")
	if err != nil {
		return fmt.Errorf("no storage to spare: %w", err)
	}
	files = append(files, probe)
	defer func() { _ = os.Remove(probe.Name()) }()
	if _, err = probe.Write(make([]byte, spareStorage)); err == nil {
		err = probe.Sync()
	}
	if err != nil {
		return fmt.Errorf("no storage to spare: %w", err)
	}
	return nil
}
