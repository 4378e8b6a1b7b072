package process

import (
	"os"
	"runtime/debug"

	"github.com/millrace/millrace/config"
)

// How far the heap may grow, in percent of what lives in it. This trades memory for time: the services hold little that lives long, and
// with Go's default of 100 a tenth of the processors' time and more goes into collecting a heap of some 10 MiB. An embedded broker holds
// more, so its process gets less. GOGC overrides all of them, GOMEMLIMIT bounds them.
const (
	gcPercent         = 400
	gcPercentEmbedded = 200
	gcPercentHashing  = 100
)

// TuneGC sets how far the heap of this process may grow.
func TuneGC(cfg config.Config) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercentOf(cfg))
	}
}

// gcPercentOf returns how far the heap may grow. Where passwords are hashed, at times 140 MiB are alive: five times that would be one
// burst of sign-ins away.
func gcPercentOf(cfg config.Config) int {
	switch {
	case cfg.Embedded():
		return gcPercentEmbedded
	case cfg.Runs(config.ServiceUser):
		return gcPercentHashing
	}
	return gcPercent
}
