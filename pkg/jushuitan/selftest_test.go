package jushuitan_test

import (
	"testing"

	"juliu/pkg/jushuitan"
)

func TestTheSelfTestPasses(t *testing.T) {
	t.Parallel()
	if err := jushuitan.SelfTest(); err != nil {
		t.Error(err)
	}
}
