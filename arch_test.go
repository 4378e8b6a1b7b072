package main_test

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/compose"
)

const module = "github.com/millrace/millrace/"

// source is one Go file as far as the arrows between folders go.
type source struct {
	path    string   // "app/order/order.go"
	imports []string // as written
	tag     string   // the build constraint, empty where there is none
	tagged  []string // structs with a field tag
}

func (s source) dir() string      { return path.Dir(s.path) }
func (s source) test() bool       { return strings.HasSuffix(s.path, "_test.go") || suite(s.dir()) }
func (s source) in(d string) bool { return within(s.dir(), d) }

// within reports whether package p is d or lies below it.
func within(p, d string) bool { return p == d || strings.HasPrefix(p, d+"/") }

// suite reports whether package p is made for tests: brokertest, ordertest, sqldbtest.
func suite(p string) bool { return strings.HasSuffix(p, "test") }

// own gives the folder of one of our packages.
func own(imported string) (folder string, ours bool) { return strings.CutPrefix(imported, module) }

// std reports whether an import is the standard library's: its first element has no dot.
func std(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

var kernel = []string{
	"app/backoff", "app/contract", "app/correlation", "app/delivery", "app/envelope", "app/fault", "app/idempotency", "app/inbox",
	"app/limit", "app/outbox", "app/principal", "app/version",
}

// service gives the service that package p belongs to, empty where it belongs to none.
func service(p string) string {
	for _, s := range compose.ServiceNames() {
		for _, d := range []string{"app/" + s, "adapters/" + s + "sql", "ports/" + s + "http", "router/" + s + "consumer"} {
			if within(p, d) {
				return s
			}
		}
	}
	return ""
}

// arrow is one rule about who may import what. wrong answers for one import of one file.
type arrow struct {
	name  string
	wrong func(s source, imported string) bool
}

var arrows = []arrow{
	{"the kernel imports the standard library and uuid alone", func(s source, imported string) bool {
		if !slices.Contains(kernel, s.dir()) || s.test() || std(imported) || imported == "github.com/google/uuid" {
			return false
		}
		p, _ := own(imported)
		return !slices.Contains(kernel, p)
	}},
	{"app imports the standard library, uuid, x/text, idna, the kernel and its own service", func(s source, imported string) bool {
		if !s.in("app") || s.test() || slices.Contains(kernel, s.dir()) || std(imported) {
			return false
		}
		if p, ours := own(imported); ours {
			return !slices.Contains(kernel, p) && (service(p) == "" || !s.in("app/"+service(p)) || !within(p, "app"))
		}
		return imported != "github.com/google/uuid" && imported != "golang.org/x/net/idna" && !strings.HasPrefix(imported, "golang.org/x/text/")
	}},
	{"app does no I/O and no logging", func(s source, imported string) bool {
		if !s.in("app") || s.test() {
			return false
		}
		// embed is allowed: what it gives is data of the program, as a constant is.
		return slices.Contains([]string{"database/sql", "log", "log/slog", "net", "net/http", "net/rpc", "net/smtp", "os",
			"os/exec", "os/signal", "plugin", "syscall", "unsafe"}, imported)
	}},
	{"a domain knows no context and no encoding", func(s source, imported string) bool {
		return domain(s) && (imported == "context" || strings.HasPrefix(imported, "encoding/json"))
	}},
	{"services never import each other", func(s source, imported string) bool {
		p, _ := own(imported)
		return service(p) != "" && service(s.dir()) != "" && service(p) != service(s.dir())
	}},
	{"adapters import no router", func(s source, imported string) bool {
		p, _ := own(imported)
		return s.in("adapters") && !s.test() && within(p, "router")
	}},
	{"adapters import no port", func(s source, imported string) bool {
		p, _ := own(imported)
		return s.in("adapters") && within(p, "ports")
	}},
	{"ports import no adapter and no router", func(s source, imported string) bool {
		p, _ := own(imported)
		return s.in("ports") && !s.test() && (within(p, "adapters") || within(p, "router"))
	}},
	{"router imports no adapter and no port", func(s source, imported string) bool {
		p, _ := own(imported)
		return s.in("router") && !s.test() && (within(p, "adapters") || within(p, "ports"))
	}},
	{"what all services share knows none of them", func(s source, imported string) bool {
		p, _ := own(imported)
		shared := s.in("ports/rest") || s.in("adapters") || s.in("router")
		return shared && !s.test() && service(s.dir()) == "" && service(p) != ""
	}},
	{"lifecycle imports the kernel and the router alone", func(s source, imported string) bool {
		p, ours := own(imported)
		return s.in("lifecycle") && !s.test() && ours && !within(p, "router") && !slices.Contains(kernel, p)
	}},
	{"process runs services and knows none", func(s source, imported string) bool {
		p, _ := own(imported)
		return s.in("process") && !s.test() && (service(p) != "" || within(p, "compose"))
	}},
	{"what composes is imported by the root and deploy alone", func(s source, imported string) bool {
		p, _ := own(imported)
		return within(p, "compose") && s.dir() != "." && !s.in("compose") && !s.in("deploy")
	}},
	{"programs beside the product are imported by nobody", func(s source, imported string) bool {
		p, _ := own(imported)
		return (within(p, "bench") && !s.in("bench")) || (within(p, "deploy") && !s.in("deploy"))
	}},
	{"a technology stays in its place", func(s source, imported string) bool {
		for _, t := range technologies {
			if strings.HasPrefix(imported, t.prefix) {
				return !s.test() && !slices.ContainsFunc(append(t.places, "bench", "deploy", "compose", "process"), s.in) && s.dir() != "."
			}
		}
		return false
	}},
	{"wire is imported behind the wireinject tag alone", func(s source, imported string) bool {
		return strings.HasPrefix(imported, "github.com/google/wire") && (s.dir() != "." || !requires(s.tag, "wireinject"))
	}},
	{"production code imports nothing made for tests", func(s source, imported string) bool {
		if s.test() {
			return false
		}
		p, ours := own(imported)
		return imported == "testing" || strings.HasPrefix(imported, "testing/") || (ours && suite(p)) ||
			strings.HasPrefix(imported, "github.com/stretchr/") || strings.HasPrefix(imported, "go.uber.org/goleak") ||
			strings.HasPrefix(imported, "github.com/google/go-cmp")
	}},
}

// technologies are the libraries that would tie the rest to them, and the folders that may know them. What composes and runs the services
// may too, and so may benchmarks and tests.
var technologies = []struct {
	prefix string
	places []string
}{
	{"github.com/nats-io/", []string{"adapters/natsjs"}},
	{"github.com/go-sql-driver/", []string{"adapters/sqldb"}},
	{"modernc.org/", []string{"adapters/sqldb"}},
	{"github.com/pressly/goose", []string{"adapters/sqldb"}},
	{"database/sql", []string{"adapters"}},
	{"github.com/danielgtaylor/huma", []string{"ports"}},
	{"github.com/go-chi/", []string{"ports"}},
	{"github.com/alecthomas/kong", []string{"ports/cli"}},
	{"github.com/ThreeDotsLabs/watermill", []string{"router", "adapters", "lifecycle"}},
	{"github.com/lestrrat-go/", []string{"adapters/jwks"}},
}

// domain reports whether s is a service's aggregate, values and rules, without its commands, queries and tests.
func domain(s source) bool {
	return !s.test() && slices.Contains([]string{"app/user", "app/order", "app/event"}, s.dir())
}

// requires reports whether a build constraint leaves a file out wherever tag is not set.
func requires(expression, tag string) bool {
	x, err := constraint.Parse(expression)
	return err == nil && !x.Eval(func(t string) bool { return t != tag })
}

// violations names each arrow that points the wrong way.
func violations(sources []source) []string {
	var found []string
	for _, s := range sources {
		for _, imported := range s.imports {
			for _, a := range arrows {
				if a.wrong(s, imported) {
					found = append(found, fmt.Sprintf("%s: %s imports %s", a.name, s.path, imported))
				}
			}
		}
		if domain(s) {
			for _, name := range s.tagged {
				found = append(found, fmt.Sprintf("a domain has no field tags: %s: %s", s.path, name))
			}
		}
	}
	return found
}

// readSource parses one file.
func readSource(file string, text any) (source, error) {
	s := source{path: filepath.ToSlash(file)}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return s, err
	}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return s, err
		}
		s.imports = append(s.imports, imported)
	}
	for _, group := range parsed.Comments {
		for _, c := range group.List {
			if group.Pos() < parsed.Package && constraint.IsGoBuild(c.Text) {
				s.tag = c.Text
			}
		}
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if f, ok := n.(*ast.Field); ok && f.Tag != nil {
			s.tagged = append(s.tagged, f.Tag.Value)
		}
		return true
	})
	return s, nil
}

// readTree parses every Go file of the module, tests and files behind tags too.
func readTree(root string) ([]source, error) {
	var sources []source
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || name == "data") {
			return fs.SkipDir
		}
		if entry.IsDir() || path.Ext(name) != ".go" {
			return nil
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		s, err := readSource(name, text)
		sources = append(sources, s)
		return err
	})
	return sources, err
}

func TestArrowsBetweenFolders(t *testing.T) {
	t.Parallel()
	sources, err := readTree(".")
	require.NoError(t, err)
	require.Greater(t, len(sources), 10, "the tree was not read")
	for _, v := range violations(sources) {
		t.Error(v)
	}
}

// Each arrow is shown to refuse something, so that a rule that matches nothing cannot pass for a rule that holds.
func TestArrowsRefuseWhatIsForbidden(t *testing.T) {
	t.Parallel()
	const ours = module
	cases := []struct {
		arrow, file, imported string
	}{
		{"the kernel", "app/fault/fault.go", "github.com/nats-io/nats.go"},
		{"the kernel", "app/contract/events.go", ours + "app/order"},
		{"app imports", "app/order/order.go", "github.com/nats-io/nats.go"},
		{"app imports", "app/order/command/place.go", ours + "adapters/ordersql"},
		{"app imports", "app/user/query/list.go", ours + "router"},
		{"app imports", "app/order/command/place.go", ours + "app/user"},
		{"app does no I/O", "app/order/command/place.go", "database/sql"},
		{"app does no I/O", "app/user/command/register.go", "log/slog"},
		{"a domain knows no context", "app/order/order.go", "context"},
		{"a domain knows no context", "app/event/event.go", "encoding/json"},
		{"services never import", "adapters/ordersql/store.go", ours + "app/user"},
		{"services never import", "ports/eventhttp/list.go", ours + "adapters/ordersql"},
		{"services never import", "router/eventconsumer/history.go", ours + "app/order/command"},
		{"adapters import no router", "adapters/sqldb/outbox.go", ours + "router"},
		{"adapters import no port", "adapters/sqldb/db.go", ours + "ports/rest"},
		{"ports import no adapter", "ports/orderhttp/place.go", ours + "adapters/ordersql"},
		{"router imports no adapter", "router/relay.go", ours + "adapters/natsjs"},
		{"what all services share", "ports/rest/server.go", ours + "app/order"},
		{"what all services share", "adapters/sqldb/outbox.go", ours + "app/event"},
		{"what all services share", "router/relay.go", ours + "app/user/command"},
		{"lifecycle imports the kernel", "lifecycle/run.go", ours + "ports/rest"},
		{"lifecycle imports the kernel", "lifecycle/run.go", ours + "adapters/sqldb"},
		{"process runs services", "process/service.go", ours + "app/user"},
		{"what composes", "config/config.go", ours + "compose"},
		{"programs beside", "process/process.go", ours + "bench/crash"},
		{"a technology stays", "router/router.go", "github.com/nats-io/nats.go/jetstream"},
		{"a technology stays", "ports/orderhttp/place.go", "database/sql"},
		{"a technology stays", "adapters/ordersql/store.go", "github.com/go-sql-driver/mysql"},
		{"wire is imported", "compose/providers.go", "github.com/google/wire"},
		{"wire is imported", "adapters/wire.go", "github.com/google/wire"},
		{"production code imports nothing", "adapters/natsjs/subscriber.go", "testing"},
		{"production code imports nothing", "process/process.go", ours + "adapters/brokertest"},
		{"production code imports nothing", "ports/rest/server.go", "github.com/stretchr/testify/require"},
	}
	refused := map[string]bool{}
	for _, c := range cases {
		found := strings.Join(violations([]source{{path: c.file, imports: []string{c.imported}}}), "\n")
		require.Contains(t, found, c.arrow, "%s may not import %s", c.file, c.imported)
		for _, a := range arrows {
			refused[a.name] = refused[a.name] || strings.HasPrefix(a.name, c.arrow)
		}
	}
	for _, a := range arrows {
		require.True(t, refused[a.name], "nothing here shows that this arrow can refuse: %s", a.name)
	}
}

func TestArrowsAllowWhatIsNeeded(t *testing.T) {
	t.Parallel()
	const ours = module
	allowed := []source{
		{path: "app/contract/events.go", imports: []string{"encoding/json", "time", ours + "app/fault"}},
		{path: "app/order/command/place.go", imports: []string{"context", "github.com/google/uuid", ours + "app/order", ours + "app/fault"}},
		{path: "app/order/ordertest/suite.go", imports: []string{"testing", "github.com/stretchr/testify/require"}},
		{path: "adapters/sqldb/outbox.go", imports: []string{"database/sql", "github.com/go-sql-driver/mysql", ours + "app/outbox"}},
		{path: "adapters/ordersql/store_test.go", imports: []string{ours + "adapters/sqldb/sqldbtest", ours + "app/order/ordertest"}},
		{path: "ports/orderhttp/place.go", imports: []string{"github.com/danielgtaylor/huma/v2", ours + "app/order/command"}},
		{path: "ports/orderhttp/routes.go", imports: []string{ours + "ports/rest", ours + "app/principal"}},
		{path: "router/orderconsumer/users.go", imports: []string{"github.com/ThreeDotsLabs/watermill/message", ours + "app/order/command"}},
		{path: "compose/providers.go", imports: []string{ours + "adapters/natsjs", ours + "ports/rest", ours + "router"}},
		{path: "wire.go", imports: []string{"github.com/google/wire"}, tag: "//go:build wireinject"},
		{path: "bench/crash/main.go", imports: []string{"database/sql", "github.com/go-sql-driver/mysql", "github.com/nats-io/nats.go"}},
	}
	require.Empty(t, violations(allowed))
}

func TestArrowsAreReadFromRealFiles(t *testing.T) {
	t.Parallel()
	s, err := readSource("app/order/order.go", `// Package order.

//go:build wireinject && !linux

package order

import (
	"context"
	renamed "github.com/nats-io/nats.go"
)

type Order struct {
	ID string `+"`json:\"id\"`"+`
}
`)
	require.NoError(t, err)
	require.Equal(t, []string{"context", "github.com/nats-io/nats.go"}, s.imports)
	require.True(t, requires(s.tag, "wireinject"))
	require.False(t, requires("//go:build !wireinject", "wireinject"))
	require.False(t, requires("", "wireinject"))
	require.Contains(t, strings.Join(violations([]source{s}), "\n"), "a domain has no field tags")
}
