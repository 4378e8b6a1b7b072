// Package deploy holds what it takes to run Millrace outside of a developer's machine, and the tests of it.
package deploy
