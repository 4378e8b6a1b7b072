// Package cluster starts what a program beside the product looks at from outside: MariaDB, nats-server and processes of Millrace,
// each with a folder, addresses and accounts of its own on loopback.
package cluster
