package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

func TestMonitoringListensOnLoopbackInItsContainer(t *testing.T) {
	t.Setenv("NATS_STORE_DIR", t.TempDir())
	options, err := server.ProcessConfigFile("nats-compose.conf")
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", options.HTTPHost)
	require.Equal(t, 8222, options.HTTPPort)
	require.Equal(t, "millrace", options.ServerName, "the rest is nats.conf's")
	require.Len(t, options.Users, 3)

	compose, err := os.ReadFile("../docker-compose.yml")
	require.NoError(t, err)
	require.NotRegexp(t, `"-m"|--http_port|8222:`, string(compose))
	require.Contains(t, string(compose), "nats-compose.conf:/etc/nats/nats-compose.conf")
}

func TestEveryContainerHasLimits(t *testing.T) {
	compose, err := os.ReadFile("../docker-compose.yml")
	require.NoError(t, err)
	_, services, found := strings.Cut(string(compose), "\nservices:\n")
	require.True(t, found)
	services, _, _ = regexpCut(services, `(?m)^[a-z]`)
	template, _, _ := strings.Cut(string(compose), "\nservices:\n")
	names := regexp.MustCompile(`(?m)^  ([a-z]+):$`).FindAllStringSubmatchIndex(services, -1)
	require.GreaterOrEqual(t, len(names), 5)
	for i, at := range names {
		end := len(services)
		if i+1 < len(names) {
			end = names[i+1][0]
		}
		block := services[at[0]:end]
		if strings.Contains(block, "<<: *service") {
			block += template
		}
		for _, limit := range []string{"mem_limit: ", "pids_limit: "} {
			require.Contains(t, block, limit, "%s", services[at[2]:at[3]])
		}
	}
}

// regexpCut cuts s before what matches.
func regexpCut(s, pattern string) (before, after string, found bool) {
	at := regexp.MustCompile(pattern).FindStringIndex(s)
	if at == nil {
		return s, "", false
	}
	return s[:at[0]], s[at[0]:], true
}

// TestImagesArePinned runs the script with a docker that answers as the real one does, because there is none here.
func TestImagesArePinned(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "deploy"), 0o700))
	for _, name := range []string{"docker-compose.yml", "Dockerfile", "deploy/pin-images.sh"} {
		content, err := os.ReadFile(filepath.Join("..", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(root, name), content, 0o700)) //nolint:gosec // a script among them
	}
	run := func(digest string) (out []byte, err error) {
		docker := fmt.Sprintf("#!/bin/sh\n[ \"$1 $2 $3\" = 'buildx imagetools inspect' ] && echo '%s'\n", digest)
		require.NoError(t, os.WriteFile(filepath.Join(root, "docker"), []byte(docker), 0o700)) //nolint:gosec // it is run
		cmd := exec.Command("bash", filepath.Join(root, "deploy/pin-images.sh"))               //nolint:gosec // our own
		cmd.Env = append(os.Environ(), "PATH="+root+":"+os.Getenv("PATH"))
		return cmd.CombinedOutput()
	}
	for _, hash := range []string{strings.Repeat("ab", 32), strings.Repeat("cd", 32)} { // the second time others
		out, err := run("sha256:" + hash)
		require.NoError(t, err, "%s", out)
		compose, err := os.ReadFile(filepath.Join(root, "docker-compose.yml"))
		require.NoError(t, err)
		require.Contains(t, string(compose), "image: mysql:8.4@sha256:"+hash+"\n")
		require.Contains(t, string(compose), "image: nats:2.15-alpine@sha256:"+hash+"\n")
		require.Contains(t, string(compose), "image: millrace\n", "our own has none")
		docker, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
		require.NoError(t, err)
		require.Contains(t, string(docker), "FROM golang:1.26@sha256:"+hash+" AS build\n")
		require.Contains(t, string(docker), "static-debian12:nonroot@sha256:"+hash+"\n")
	}
	out, err := run("unauthorized")
	require.Error(t, err, "%s", out)
	compose, err := os.ReadFile(filepath.Join(root, "docker-compose.yml"))
	require.NoError(t, err)
	require.NotContains(t, string(compose), "unauthorized")
}
