package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// createUsers creates n users, signs them in and returns their access tokens, which are valid for 15 minutes.
func (s *system) createUsers(ctx context.Context, n int) ([]string, error) {
	url := s.replicaOf("user").URL
	tokens := make([]string, n)
	for i := range tokens {
		email := rand.Text() + "@example.com"
		account := map[string]string{"email": email, "name": "Customer", "password": "password-of-a-customer"}
		if err := postJSON(ctx, url+"/api/users", account, nil); err != nil {
			return nil, err
		}
		var session struct {
			AccessToken string `json:"access_token"`
		}
		delete(account, "name")
		if err := postJSON(ctx, url+"/api/auth/login", account, &session); err != nil {
			return nil, err
		}
		tokens[i] = session.AccessToken
	}
	return tokens, nil
}

// postJSON posts in as JSON and decodes the response into out, unless out is nil.
func postJSON(ctx context.Context, url string, in, out any) error {
	content, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(content))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err = io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s: %s: %s", url, response.Status, content)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(content, out)
}
