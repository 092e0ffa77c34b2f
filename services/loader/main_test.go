package loader_test

import (
	"testing"

	"juliu/pkg/sink/postgres/postgrestest"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }
