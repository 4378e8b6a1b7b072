package e2e_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// stored is an order as both replicas must tell it.
type stored struct {
	Version int64  `json:"version"`
	Status  string `json:"status"`
	Note    string `json:"note"`
}

// Two replicas are asked at once, half of the callers careful: what was answered with 200 is a version and an event, all else was
// refused in words.
func TestReplicasLoseNoUpdate(t *testing.T) {
	t.Parallel()
	s := startSplit(t)
	_, user := s.user.register("ada@example.org")
	id := s.orders[0].place(user)
	target := "/api/orders/" + id
	var (
		callers sync.WaitGroup
		mu      sync.Mutex
		tags    = map[string]string{} // of each change that was accepted: what it wrote
		refused = map[int]int{}
	)
	for i := range 64 {
		callers.Go(func() {
			n, note, headers := s.orders[i%2], fmt.Sprint("note ", i), []string{}
			if i%4 < 2 {
				headers = []string{"If-Match", n.get(user, target).header.Get("ETag")}
			}
			method, path, body := http.MethodPut, target, `{"note":"`+note+`"}`
			if i == 60 {
				note, method, path, body = "", http.MethodPost, target+"/cancel", ""
			}
			a, err := n.try(user, method, path, body, headers...)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.Error(err)
			case a.status == http.StatusOK:
				if other, taken := tags[a.header.Get("ETag")]; taken {
					t.Errorf("%q and %q were both told to be version %s", note, other, a.header.Get("ETag"))
				}
				tags[a.header.Get("ETag")] = note
			default:
				refused[a.status]++
			}
		})
	}
	callers.Wait()
	require.Equal(t, 64, len(tags)+refused[http.StatusConflict]+refused[http.StatusPreconditionFailed], "%v", refused)
	var first, second stored
	s.orders[0].get(user, target).into(t, &first)
	s.orders[1].get(user, target).into(t, &second)
	require.Equal(t, first, second)
	require.EqualValues(t, 1+len(tags), first.Version)
	require.Contains(t, tags, fmt.Sprintf(`"%d"`, first.Version))
	if first.Status == "placed" { // the one that cancels was careful, and came too late
		require.Equal(t, tags[fmt.Sprintf(`"%d"`, first.Version)], first.Note)
	} else {
		require.Empty(t, tags[fmt.Sprintf(`"%d"`, first.Version)], "nothing came behind the cancellation")
	}
	types := s.events[0].types(s.user.admin(), "key="+id, 1+len(tags))
	require.Len(t, types, 1+len(tags))
}
