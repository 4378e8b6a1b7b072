// Command crash kills and pauses real Millrace processes under load, and then checks for lost, duplicated, misordered and unexpected
// changes. It observes the system only from outside: through HTTP, SQL, NATS, /metrics and exit codes.
//
//	go build -o .build/millrace . && go build -o .build/nats-server github.com/nats-io/nats-server/v2
//	go run ./bench/crash                  two replicas of each service, with a private MariaDB and nats-server
//	go run ./bench/crash -sqlite          one process with SQLite and the embedded NATS server
//	go run ./bench/crash -seed 42         repeats the random choices of an earlier run, but not its timing
//
// The exit code is 1 if any check fails. The directory with all data and logs is then kept.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options are the settings of a run.
type options struct {
	seed       uint64
	rounds     int
	duration   time.Duration
	workers    int
	sqlite     bool
	keep       bool
	binary     string
	natsServer string
	natsConf   string
	dir        string
}

func main() {
	o, err := parseOptions(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	passed, err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
	}
	if err != nil || !passed {
		os.Exit(1)
	}
}

// parseOptions parses the command line. It rejects arguments that are not flags, so that a mistyped flag does not start another run
// than the intended one.
func parseOptions(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("crash", flag.ContinueOnError)
	flags.Uint64Var(&o.seed, "seed", 0, "seed of the random choices; 0 chooses one")
	flags.IntVar(&o.rounds, "rounds", 5, "number of rounds; all checks run after each")
	flags.DurationVar(&o.duration, "duration", 45*time.Second, "minimum duration of load and faults in a round")
	flags.IntVar(&o.workers, "workers", 64, "number of concurrent clients")
	flags.BoolVar(&o.sqlite, "sqlite", false, "run one process with SQLite and the embedded NATS server")
	flags.BoolVar(&o.keep, "keep", false, "keep the directory also if the run passes")
	flags.StringVar(&o.binary, "millrace", ".build/millrace", "path of the millrace binary")
	flags.StringVar(&o.natsServer, "nats-server", ".build/nats-server", "path of the nats-server binary")
	flags.StringVar(&o.natsConf, "nats-conf", "deploy/nats.conf", "path of the nats-server configuration")
	flags.StringVar(&o.dir, "dir", ".build/crash", "directory for data and logs")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.rounds < 1 || o.workers < 1 || o.duration <= 0 {
		return o, fmt.Errorf("rounds, workers and duration must be positive")
	}
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	return o.withAbsolutePaths()
}

// withAbsolutePaths returns o with absolute paths, and with a directory of its own for this mode and seed.
func (o options) withAbsolutePaths() (options, error) {
	mode := "mysql"
	if o.sqlite {
		mode = "sqlite"
	}
	o.dir = filepath.Join(o.dir, fmt.Sprintf("%s-%d", mode, o.seed))
	for _, p := range []*string{&o.dir, &o.binary, &o.natsServer, &o.natsConf} {
		absolute, err := filepath.Abs(*p)
		if err != nil {
			return o, err
		}
		*p = absolute
	}
	return o, nil
}

// newRand returns the random number generator of one component for one round. Each component has its own generator, so that the
// numbers that one of them draws do not change the choices of the others.
func (o options) newRand(component uint64, round int) *rand.Rand {
	return rand.New(rand.NewPCG(o.seed, component<<32|uint64(round)))
}
