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

// nextWindow returns the first blocks of what is left to be searched that may have events of the time window and follow each other.
func (s *historySearch) nextWindow(ctx context.Context) (window positionRange, err error) {
	none := positionRange{1, 0}
	statement, args := s.blocks(s.blocksRead)
	s.blocksRead = min(8*s.blocksRead, mostBlocks)
	rows, err := s.db.Query(ctx, statement, args...)
	if err != nil {
		return none, fmt.Errorf("read the blocks of the history: %w", err)
	}
	blocks, err := sqldb.Collect(rows, func(r sqldb.Scanner) (block int64, err error) { return block, r.Scan(&block) })
	if err != nil || len(blocks) == 0 {
		return none, err
	}
	run := 1
	for run < len(blocks) && abs(blocks[run]-blocks[run-1]) == 1 {
		run++
	}
	low, high := min(blocks[0], blocks[run-1]), max(blocks[0], blocks[run-1])
	window = positionRange{max(s.rest.low, low*blockSize+1), min(s.rest.high, (high+1)*blockSize)}
	return window, nil
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
