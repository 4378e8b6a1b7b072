package eventsql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace/millrace/adapters/sqldb"
)

// Positions grow about as time does, so a list by position of a time window needs no index by time: for each block of blockSize positions
// the table history_blocks keeps the earliest and the latest time of its events, and a search reads the blocks alone that may have some of
// the window. An index would cost each event two more writes, and could not be read in the order of positions.
const blockSize = 200

// Blocks are read few at first, since the first ones often fill a page, and then many at a time.
const leastBlocks, mostBlocks = 64, 4096

// blockOf returns the block of a position.
func blockOf(position int64) int64 { return (position - 1) / blockSize }

// nextWindow returns the next part of what is left to be searched that may have events of the time window.
func (s *historySearch) nextWindow(ctx context.Context) (positionRange, error) {
	for {
		for len(s.windows) > 0 {
			window := s.windows[0]
			s.windows = s.windows[1:]
			window = positionRange{max(s.rest.low, window.low), min(s.rest.high, window.high)}
			if !window.empty() {
				return window, nil
			}
		}
		statement, args := s.blocks(s.blocksRead)
		s.blocksRead = min(8*s.blocksRead, mostBlocks)
		rows, err := s.db.Query(ctx, statement, args...)
		if err != nil {
			return nowhere, fmt.Errorf("read the blocks of the history: %w", err)
		}
		blocks, err := sqldb.Collect(rows, func(r sqldb.Scanner) (block int64, err error) { return block, r.Scan(&block) })
		if err != nil || len(blocks) == 0 {
			return nowhere, err
		}
		s.windows = windowsOf(blocks)
	}
}

// windowsOf puts blocks that follow each other together.
func windowsOf(blocks []int64) (windows []positionRange) {
	begin := 0
	for i := range blocks {
		if i+1 == len(blocks) || abs(blocks[i+1]-blocks[i]) != 1 {
			low, high := min(blocks[begin], blocks[i]), max(blocks[begin], blocks[i])
			windows = append(windows, positionRange{low*blockSize + 1, (high + 1) * blockSize})
			begin = i + 1
		}
	}
	return windows
}

// blocks asks for the next n blocks, in the order of the search.
func (s *historySearch) blocks(n int) (statement string, args []any) {
	var w where
	w.add("block >= ?", blockOf(s.rest.low))
	w.add("block <= ?", blockOf(s.rest.high))
	if s.filter.After != nil {
		w.add("latest >= ?", sqldb.Micros(*s.filter.After))
	}
	if s.filter.Before != nil {
		w.add("earliest < ?", sqldb.Micros(*s.filter.Before))
	}
	order := " ORDER BY block DESC LIMIT ?"
	if s.ascending {
		order = " ORDER BY block LIMIT ?"
	}
	return "SELECT block FROM history_blocks" + w.clause() + order, append(w.args, n)
}

func abs(n int64) int64 { return max(n, -n) }

// noteBlocks widens the blocks of events that are given the positions from first on, in the same transaction. times are theirs.
func (t tx) noteBlocks(ctx context.Context, first int64, times []int64) error {
	var args []any
	for len(times) > 0 {
		n := min(int64(len(times)), (blockOf(first)+1)*blockSize-first+1)
		args = append(args, blockOf(first), slices.Min(times[:n]), slices.Max(times[:n]))
		first, times = first+n, times[n:]
	}
	statement := "INSERT INTO history_blocks (block, earliest, latest) VALUES (?,?,?)" + strings.Repeat(",(?,?,?)", len(args)/3-1)
	if t.dialect == sqldb.MySQL {
		statement += " ON DUPLICATE KEY UPDATE earliest = LEAST(earliest, VALUES(earliest)), latest = GREATEST(latest, VALUES(latest))"
	} else {
		statement += " ON CONFLICT (block) DO UPDATE SET earliest = MIN(earliest, excluded.earliest), latest = MAX(latest, excluded.latest)"
	}
	if _, err := t.Exec(ctx, statement, args...); err != nil {
		return fmt.Errorf("note the times of a block: %w", err)
	}
	return nil
}
