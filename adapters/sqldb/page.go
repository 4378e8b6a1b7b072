package sqldb

// PageBytes is the weight at which a page of a list ends before it has as many items as were asked for.
const PageBytes = 1 << 20

// pageStep is how many rows are asked for at first. It is one more than a usual page has, which so needs one statement.
const pageStep = 51

// Page is a part of a list that is being read.
type Page[T any] struct {
	Items []T

	limit, weight, step int
}

// NewPage returns an empty page for up to limit items or PageBytes; one item always fits.
func NewPage[T any](limit int) *Page[T] { return &Page[T]{limit: limit, step: pageStep} }

// Read adds the items of a range. query asks for up to n rows of it behind the last one, nil for the first time. scan reads one, and says
// what it weighs. full reports whether the page ended before the range did; otherwise another range may follow.
//
// The rows are asked for in steps, by what those before weighed: the server of a database sends all that was asked for, even if the page
// has ended.
func (p *Page[T]) Read(
	query func(last *T, n int) (*Rows, error), scan func(Scanner) (one T, size int, err error),
) (full bool, err error) {
	var last *T
	for {
		asked := min(p.step, p.limit+1-len(p.Items))
		rows, err := query(last, asked)
		if err != nil {
			return false, err
		}
		got, full, err := p.add(rows, scan)
		if err != nil || full || got < asked {
			return full, err
		}
		last = &p.Items[len(p.Items)-1]
		p.step = 1 + max(0, PageBytes-p.weight)*len(p.Items)/max(1, p.weight)
	}
}

// add adds rows until the page is full, and closes them.
func (p *Page[T]) add(rows *Rows, scan func(Scanner) (T, int, error)) (got int, full bool, err error) {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		one, size, err := scan(rows)
		if err != nil {
			return got, false, err
		}
		if len(p.Items) == p.limit || len(p.Items) > 0 && p.weight+size > PageBytes {
			return got, true, nil
		}
		p.Items, p.weight, got = append(p.Items, one), p.weight+size, got+1
	}
	return got, false, rows.Err()
}

// ReadPage reads a list that is one range. more reports whether there is something behind the page.
func ReadPage[T any](
	limit int, query func(last *T, n int) (*Rows, error), scan func(Scanner) (one T, size int, err error),
) (items []T, more bool, err error) {
	page := NewPage[T](limit)
	more, err = page.Read(query, scan)
	if err != nil {
		return nil, false, err
	}
	return page.Items, more, nil
}
