package relay

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/millrace/millrace/app/envelope"
)

// maxLoggedIDs is how many correlation IDs a line lists. Of a larger batch it has the first and the last.
const maxLoggedIDs = 5

// logPublished writes one line for each stream of a batch, so that a correlation ID can be followed through the log.
func logPublished(ctx context.Context, log *slog.Logger, batch []ackedRow) {
	if !log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	for _, stream := range envelope.Prefixes() {
		rows, ids := 0, []string(nil)
		for _, row := range batch {
			if envelope.Prefix(row.Topic) != stream {
				continue
			}
			rows++
			if row.correlationID != "" && (len(ids) == 0 || ids[len(ids)-1] != row.correlationID) {
				ids = append(ids, row.correlationID)
			}
		}
		switch {
		case rows == 0:
		case len(ids) <= maxLoggedIDs:
			slices.Sort(ids)
			log.InfoContext(ctx, "events published", "stream", stream, "count", rows, "correlation_ids", strings.Join(slices.Compact(ids), ","))
		default:
			log.InfoContext(ctx, "events published", "stream", stream, "count", rows,
				"first_correlation_id", ids[0], "last_correlation_id", ids[len(ids)-1])
		}
	}
}
