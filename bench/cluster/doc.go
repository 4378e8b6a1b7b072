// Package cluster starts the processes that the benchmark and the crash test observe: MariaDB, nats-server and Millrace. Each has its
// own directory, loopback address and accounts.
package cluster
