package sqldb_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/adapters/sqldb"
	"github.com/millrace/millrace/adapters/sqldb/sqldbtest"
)

// numbers is the schema of a table of the numbers 1 to 256.
var numbers = fstest.MapFS{
	"mysql/00001_numbers.sql":  {Data: []byte(numbersTable)},
	"sqlite/00001_numbers.sql": {Data: []byte(numbersTable)},
}

const numbersTable = `-- +goose Up
CREATE TABLE numbers AS
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 256) SELECT i FROM n;
`

func TestPageEndsAtItsBytes(t *testing.T) {
	t.Parallel()
	sqldbtest.Each(t, numbers, func(t *testing.T, db *sqldb.DB) {
		for _, size := range []int{0, 1, 1000, 100_000, 400_000, 3 << 20} {
			asked, scanned, pages, next := 0, 0, 0, 0
			for more := true; more; pages++ {
				var page []int
				var err error
				page, more, err = sqldb.ReadPage(200, func(last *int, n int) (*sqldb.Rows, error) {
					behind := next
					if last != nil {
						behind = *last
					}
					asked += n
					return db.Query(t.Context(), "SELECT i FROM numbers WHERE i > ? ORDER BY i LIMIT ?", behind, n)
				}, func(r sqldb.Scanner) (i, weight int, err error) {
					scanned++
					return i, size, r.Scan(&i)
				})
				require.NoError(t, err)
				require.NotEmpty(t, page)
				for _, i := range page {
					next++
					require.Equal(t, next, i)
				}
				require.True(t, len(page) == 1 || len(page)*size <= sqldb.PageBytes)
				require.LessOrEqual(t, len(page), 200)
				require.Equal(t, next < 256, more)
			}
			require.LessOrEqual(t, scanned, 256+pages, "of each page one row more than it has is read")
			if size*51 > sqldb.PageBytes {
				require.LessOrEqual(t, asked, 51*pages, "no more is asked for than a usual page has")
			}
			require.GreaterOrEqual(t, pages, min(256, max(2, 256*size>>20)))
		}
	})
}
