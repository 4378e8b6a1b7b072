package rest

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// describeOps adds to the document what is served beside the services' operations.
func (s *Server) describeOps() {
	d := s.api.OpenAPI()
	d.Tags = append(d.Tags, &huma.Tag{Name: "operations", Description: "For probes, scrapers and generators. Nobody signs in here."})
	report := d.Components.Schemas.Schema(reflect.TypeFor[readinessReport](), true, "Readiness")
	ready := readinessReport{Status: "ready", Checks: map[string]checkReport{"order_database": {Status: "ok", Required: true}}}
	unready := readinessReport{Status: "starting", Checks: map[string]checkReport{"order_database": {Status: "failed", Required: true,
		Detail: "The service is starting: it connects to its database and brings the schema up to date."}}}
	alive := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{"status": text}, Required: []string{"status"}}
	d.AddOperation(plain("get-liveness", "/healthz", "Whether the process is alive",
		"Answers as long as the process can answer at all, whatever is away behind it.",
		"application/json", alive, map[string]string{"status": "alive"}))
	readiness := plain("get-readiness", "/readyz", "Whether requests should be sent here",
		"`ready`; `degraded` where requests are answered and something behind them waits; "+
			"503 where the process is `starting`, `unready` or `draining`. "+
			"`starting`: what is required has not been there yet; the failed checks say what it waits for. "+
			"`draining`: requests are still answered for MILLRACE_DRAIN_DELAY, send no new ones.",
		"application/json", report, ready)
	readiness.Responses["503"] = response("Not now", "application/json", report, unready)
	d.AddOperation(readiness)
	if !s.cfg.OpsApart {
		d.AddOperation(plain("get-metrics", "/metrics", "Metrics for Prometheus", "In the text format of Prometheus. "+
			"With MILLRACE_OPS_ADDR it is served at that address alone.", "text/plain", text, "millrace_http_requests_in_flight 1\n"))
	}
	s.describeDocument("get-openapi", "/openapi.json", "This document", "OpenAPI 3.1, of the services that this process runs.",
		map[string]string{"openapi": d.OpenAPI})
	if s.cfg.Events != nil {
		s.describeDocument("get-asyncapi", "/asyncapi.json", "The document of the events", "AsyncAPI 3, of all services.",
			map[string]string{"asyncapi": "3.0.0"})
	}
}

func (s *Server) describeDocument(id, path, summary, text string, example any) {
	op := Cached(*plain(id, path, summary, text, "application/json", &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true},
		example), "no-cache")
	s.api.OpenAPI().AddOperation(&op)
}

func plain(id, path, summary, text, mediaType string, schema *huma.Schema, example any) *huma.Operation {
	return &huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Description: text, Tags: []string{"operations"},
		Responses: map[string]*huma.Response{"200": response("OK", mediaType, schema, example)},
	}
}

func response(description, mediaType string, schema *huma.Schema, example any) *huma.Response {
	return &huma.Response{
		Description: description, Content: map[string]*huma.MediaType{mediaType: {Schema: schema, Example: example}},
	}
}
