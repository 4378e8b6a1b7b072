package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/millrace/millrace/config"
)

func TestMisspeltVariablesAreReportedWithTheLikelyName(t *testing.T) {
	t.Parallel()
	require.Equal(t, []config.Unknown{
		{Name: "MILLRACE_DATABSE_URL", Similar: "MILLRACE_DATABASE_URL"},
		{Name: "MILLRACE_HTTP_ADDRESS", Similar: "MILLRACE_HTTP_ADDR"},
		{Name: "MILLRACE_SOMETHING_ELSE_ENTIRELY"},
		{Name: "MILLRACE_service", Similar: ""},
	}, config.FindUnknown([]string{
		"PATH=/bin", "MILLRACE_HTTP_ADDRESS=:80", "MILLRACE_SERVICE=all", "MILLRACE_DATABSE_URL=x=y", "MILLRACE_TEST_MYSQL=z",
		"MILLRACE_SOMETHING_ELSE_ENTIRELY=", "MILLRACE_service=user",
	}))
}
