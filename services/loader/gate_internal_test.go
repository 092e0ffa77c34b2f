package loader

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Loaders that see one count keep to the rate together, whatever each takes, also after a time in which they could not.
func TestLoadersKeepToTheRateTogether(t *testing.T) {
	t.Parallel()
	for _, loaders := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			const rate, blockedFrom, blockedTo, end = 200, 10 * time.Second, 20 * time.Second, 60 * time.Second
			var taken uint64
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			began := time.Now()
			mine := make([]int, loaders)
			lock := make(chan struct{}, 1)
			for i := range loaders {
				p := &pace{rate: rate, now: time.Now, taken: func(context.Context) (uint64, error) {
					lock <- struct{}{}
					defer func() { <-lock }()
					return taken, nil
				}}
				go func() {
					for ctx.Err() == nil {
						n := p.allow(ctx, 1000)
						if at := time.Since(began); at > blockedFrom && at < blockedTo {
							wait(ctx, nil, blockedTo-at)
							continue
						}
						lock <- struct{}{}
						taken += uint64(n)
						mine[i] += n
						<-lock
					}
				}()
			}
			wait(ctx, nil, end)
			stop()
			synctest.Wait()
			due := rate * (end - (blockedTo - blockedFrom)).Seconds()
			if got := float64(taken); got < 0.95*due || got > 1.1*due+rate {
				t.Errorf("%d loaders took %v in a minute, want about %v", loaders, got, due)
			}
			for i, n := range mine {
				if n == 0 {
					t.Errorf("loader %d took nothing", i)
				}
			}
		})
	}
}
