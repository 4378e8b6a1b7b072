package eventhttp

import "github.com/millrace/millrace/ports/rest"

// open gives where a page begins, 0 for the first.
func (h routes) open(list, cursor string) (behind int64, err error) {
	position, err := rest.Behind[int64](h.Cursors, list, cursor)
	if err != nil || position == nil {
		return 0, err
	}
	return *position, nil
}

// seal gives the cursor of the next page, none behind the last.
func (h routes) seal(list string, next int64) string {
	if next == 0 {
		return ""
	}
	return h.Cursors.Seal(list, next)
}
