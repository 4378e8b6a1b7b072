package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// errStatementLog says that the server refuses every change of ours: what READ COMMITTED does cannot be replicated as statements.
var errStatementLog = errors.New("the database server has binlog_format=STATEMENT, with which it refuses changes under READ COMMITTED")

// stringModes are the parts of sql_mode that change how strings are quoted, compared or kept.
var stringModes = []string{
	"ANSI", "ANSI_QUOTES", "DB2", "EMPTY_STRING_IS_NULL", "MAXDB", "MSSQL", "NO_BACKSLASH_ESCAPES", "ORACLE", "PAD_CHAR_TO_FULL_LENGTH",
	"PIPES_AS_CONCAT", "POSTGRESQL",
}

// roomyPacket is the max_allowed_packet from which everything fits that a broker takes.
const roomyPacket = 4 << 20

// checkServer looks for settings of a MySQL server with which Millrace cannot work, which is an error, or that its operator should know of,
// which is logged once.
func (db *DB) checkServer(ctx context.Context, server *sql.DB) error {
	var (
		logs    bool
		format  string
		modes   string
		packet  int
		version string
	)
	const settings = "SELECT @@log_bin, @@GLOBAL.sql_mode, @@max_allowed_packet, @@version"
	err := server.QueryRowContext(ctx, settings).Scan(&logs, &modes, &packet, &version)
	if err != nil {
		return fmt.Errorf("read the settings of the database server: %w", classify(err))
	}
	if logs {
		err := server.QueryRowContext(ctx, "SELECT @@binlog_format").Scan(&format)
		if err != nil && numberOf(err) != unknownVariable { // servers to come have no other format than ROW
			return fmt.Errorf("read the binlog_format of the database server: %w", classify(err))
		}
		if format == "STATEMENT" {
			return errStatementLog
		}
	}
	db.told.Do(func() { db.tell(modes, packet, version) })
	return nil
}

func (db *DB) tell(modes string, packet int, version string) {
	db.log.Debug("database server", "version", version)
	var odd []string
	for mode := range strings.SplitSeq(modes, ",") {
		if slices.Contains(stringModes, mode) {
			odd = append(odd, mode)
		}
	}
	if len(odd) > 0 {
		db.log.Warn("the database server's sql_mode changes strings; the sessions of this program set their own", "modes", strings.Join(odd, ","),
			"advice", "remove these from the server's sql_mode if other programs write to the databases of Millrace")
	}
	if packet < roomyPacket {
		db.log.Warn("the database server's max_allowed_packet is small; what does not fit is refused, and events go to the poison queue",
			"max_allowed_packet", packet, "advice", fmt.Sprintf("set max_allowed_packet to %d or more", roomyPacket))
	}
}
