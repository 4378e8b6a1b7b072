package process

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"github.com/millrace/millrace/app/fault"
)

// lockFile is the file in the data folder that is locked while the folder is in use.
const lockFile = "millrace.lock"

// DataDir is the locked folder of a process's embedded parts. It is safe for concurrent use.
type DataDir struct {
	path string
	lock *flock.Flock
	log  *slog.Logger

	lost    atomic.Bool            // the folder or a file in it is gone or was replaced
	known   map[string]os.FileInfo // the databases, as they were when first seen; only the watch uses it
	unlock  chan struct{}
	watched chan struct{} // closed once the watch has ended
}

// LockDataDir makes the folder, for its owner alone, locks it before anything in it is opened, and watches it until Unlock: two servers on
// one store would both acknowledge, and what is stored in a deleted file is lost. The error says which process holds the lock.
func LockDataDir(path string, log *slog.Logger) (*DataDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	file := filepath.Join(path, lockFile)
	d := &DataDir{
		path: path, lock: flock.New(file, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600)), log: log,
		known: map[string]os.FileInfo{}, unlock: make(chan struct{}), watched: make(chan struct{}),
	}
	locked, err := d.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if !locked {
		return nil, fmt.Errorf("the data folder %s is in use by %s: stop it, or set MILLRACE_DATA_DIR to another folder", path, holder(file))
	}
	if err := os.WriteFile(file, fmt.Appendf(nil, "process %d", os.Getpid()), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the data folder: %w", err), d.lock.Unlock())
	}
	go d.watch()
	return d, nil
}

// holder reads what the process that holds the lock wrote into it.
func holder(file string) string {
	if name, err := os.ReadFile(file); err == nil && len(name) > 0 { //nolint:gosec // our own lock file
		return string(name)
	}
	return "another process"
}

// Unlock ends the watch and releases the folder, once everything in it is closed.
func (d *DataDir) Unlock() error {
	close(d.unlock)
	<-d.watched
	return d.lock.Unlock()
}

var errDataFolderLost = fault.New(fault.Unavailable, "data_folder_lost",
	"The data folder was removed or replaced while it was in use. Nothing was changed. "+
		"Put the folder back, or restart the process to use what is there now.")

// Intact returns an error while the folder, or a database in it, is gone or was replaced. Files stay open after that, and a commit to
// them succeeds, but nobody will ever read it: so no write may be accepted.
func (d *DataDir) Intact() error {
	if d.lost.Load() {
		return errDataFolderLost
	}
	return nil
}

// watchEvery is how often the folder is looked at, and so how long a write may be accepted that is lost with it.
const watchEvery = 100 * time.Millisecond

func (d *DataDir) watch() {
	defer close(d.watched)
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		err := d.compare()
		switch lost := d.lost.Swap(err != nil); {
		case err != nil && !lost:
			d.log.Error("data folder was removed or replaced, writes are refused: put it back or restart", "folder", d.path, "error", err)
		case err == nil && lost:
			d.log.Info("data folder is back, writes are accepted again", "folder", d.path)
		}
		select {
		case <-d.unlock:
			return
		case <-ticker.C:
		}
	}
}

// compare reports whether the paths of the lock and of the databases still lead to the files that are open.
func (d *DataDir) compare() error {
	lock, err := d.lock.Stat()
	if err != nil {
		return err
	}
	if err := sameFile(filepath.Join(d.path, lockFile), lock); err != nil {
		return err
	}
	for path, open := range d.known {
		if err := sameFile(path, open); err != nil {
			return err
		}
	}
	databases, _ := filepath.Glob(filepath.Join(d.path, "*.db")) // the pattern is good
	for _, path := range databases {
		if info, err := os.Stat(path); err == nil && d.known[path] == nil {
			d.known[path] = info
		}
	}
	return nil
}

// sameFile returns an error unless path leads to the file that was opened there.
func sameFile(path string, opened os.FileInfo) error {
	found, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !os.SameFile(found, opened) {
		return fmt.Errorf("%s is another file now", path)
	}
	return nil
}
