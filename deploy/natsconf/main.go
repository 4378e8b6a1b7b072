// Command natsconf writes deploy/nats.conf: the rights of each service at the broker, made from the descriptions of the services.
//
//	go run ./deploy/natsconf > deploy/nats.conf
package main

import (
	_ "embed"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/template"

	"github.com/millrace/millrace/adapters/natsjs"
	"github.com/millrace/millrace/compose"
)

//go:embed nats.conf.tmpl
var page string

// user is the broker's user of one service.
type user struct {
	Name, Password, Summary string
	Publish                 []string // lines of quoted subjects
}

func main() {
	if err := write(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "natsconf:", err)
		os.Exit(1)
	}
}

// write writes the file to w.
func write(w io.Writer) error {
	t, err := template.New("nats.conf").Parse(page)
	if err != nil {
		return err
	}
	var users []user
	for _, d := range compose.Services() {
		users = append(users, userOf(d))
	}
	return t.Execute(w, users)
}

// userOf returns the user of a service: it publishes its own subjects, makes and reads its own consumers, and nothing else.
func userOf(d compose.Description) user {
	u := user{Name: d.Name, Password: "NATS_" + strings.ToUpper(d.Name) + "_PASSWORD", Summary: d.Summary}
	u.line(published(d)...)
	u.line("$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.INFO.*", "$JS.API.STREAM.MSG.GET.*", "$JS.API.DIRECT.GET.>")
	u.line("$JS.API.STREAM.CREATE."+natsjs.Events, "$JS.API.STREAM.CREATE."+natsjs.Poison, "$JS.API.STREAM.CREATE."+natsjs.Requeue)
	for _, c := range d.Consumers {
		for _, topic := range c.Topics() {
			u.consume(streamOf(topic), c.Name)
		}
	}
	return u
}

// published are the subjects that a service publishes: the events of its aggregates, what its consumers give up, and what it names.
func published(d compose.Description) (subjects []string) {
	for _, p := range d.Events {
		aggregate, _, _ := strings.Cut(p.Example.Type(), ".")
		if subject := "events." + aggregate + ".>"; !slices.Contains(subjects, subject) {
			subjects = append(subjects, subject)
		}
	}
	for _, c := range d.Consumers {
		if !c.NeverPoison {
			subjects = append(subjects, "poison."+c.Name)
		}
	}
	return append(subjects, d.Publishes...)
}

// consume allows what a durable consumer takes: to make it, to look at it, to pull and to acknowledge.
func (u *user) consume(stream, durable string) {
	at := stream + "." + durable
	u.line("$JS.API.CONSUMER.CREATE."+at, "$JS.API.CONSUMER.INFO."+at)
	u.line("$JS.API.CONSUMER.CREATE." + at + ".>")
	u.line("$JS.API.CONSUMER.DURABLE.CREATE."+at, "$JS.API.CONSUMER.MSG.NEXT."+at)
	u.line("$JS.ACK."+at+".>", "$JS.ACK.*.*."+at+".>")
}

func (u *user) line(subjects ...string) {
	u.Publish = append(u.Publish, `"`+strings.Join(subjects, `", "`)+`"`)
}

// streamOf returns the stream that takes a topic.
func streamOf(topic string) string {
	first, _, _ := strings.Cut(topic, ".")
	return strings.ToUpper(first)
}
