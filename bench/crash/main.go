// Command crash kills and pauses the real processes of Millrace under load, and counts what went wrong: changes that were lost,
// doubled, disordered, or that appeared from nowhere. It looks from outside alone: HTTP, SQL, NATS, /metrics, and exit codes.
//
//	go build -o .build/millrace . && go build -o .build/nats-server github.com/nats-io/nats-server/v2
//	go run ./bench/crash                  two replicas of each service, a MariaDB and a nats-server of its own
//	go run ./bench/crash -sqlite          one process with SQLite and the embedded server
//	go run ./bench/crash -seed 42         the same choices again; only the machine's timing differs
//
// It exits with 1 when anything is not zero, and keeps the folder with all data and logs.
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

// options are what a run is made of.
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
	o, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	green, err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
	}
	if err != nil || !green {
		os.Exit(1)
	}
}

// parse reads the command line. What is not a flag is an error, so that a mistyped one does not run something else.
func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("crash", flag.ContinueOnError)
	flags.Uint64Var(&o.seed, "seed", 0, "repeats the choices of a run; 0 draws one")
	flags.IntVar(&o.rounds, "rounds", 5, "rounds; everything is checked after each")
	flags.DurationVar(&o.duration, "duration", 45*time.Second, "load and kills of a round, at least")
	flags.IntVar(&o.workers, "workers", 64, "concurrent clients")
	flags.BoolVar(&o.sqlite, "sqlite", false, "one process with SQLite and the embedded server")
	flags.BoolVar(&o.keep, "keep", false, "keep the folder of a green run too")
	flags.StringVar(&o.binary, "millrace", ".build/millrace", "the binary to break")
	flags.StringVar(&o.natsServer, "nats-server", ".build/nats-server", "a nats-server")
	flags.StringVar(&o.natsConf, "nats-conf", "deploy/nats.conf", "its configuration")
	flags.StringVar(&o.dir, "dir", ".build/crash", "where runs keep their data and logs")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected %q", flags.Arg(0))
	}
	if o.rounds < 1 || o.workers < 1 || o.duration <= 0 {
		return o, fmt.Errorf("rounds, workers and duration must be positive")
	}
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	return o.absolute()
}

// absolute makes the paths independent of where a process is started.
func (o options) absolute() (options, error) {
	mode := "mysql"
	if o.sqlite {
		mode = "sqlite"
	}
	o.dir = filepath.Join(o.dir, fmt.Sprintf("%s-%d", mode, o.seed))
	for _, p := range []*string{&o.dir, &o.binary, &o.natsServer, &o.natsConf} {
		full, err := filepath.Abs(*p)
		if err != nil {
			return o, err
		}
		*p = full
	}
	return o, nil
}

// random gives a source of its own to each part and round, so that what one part draws does not shift another's choices.
func (o options) random(part uint64, round int) *rand.Rand {
	return rand.New(rand.NewPCG(o.seed, part<<32|uint64(round)))
}
