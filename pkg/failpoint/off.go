//go:build !failpoint

package failpoint

import "context"

// Hit is the step name: with the tag failpoint, what FAILPOINT says of it happens here.
func Hit(string) {}

// Waiting returns ctx. With the tag failpoint, the step name is reached when somebody begins to wait for the context, after sent has run.
func Waiting(ctx context.Context, _ string, _ func()) context.Context { return ctx }
