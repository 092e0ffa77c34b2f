package loader

import "time"

// Judge is judge, told as text: what to do, the wait and the class.
func Judge(err error, attempt, maxAttempts int) (string, time.Duration, string) {
	v := judge(err, attempt, maxAttempts)
	return map[action]string{done: "done", retry: "retry", reject: "reject", pause: "pause"}[v.action], v.after, v.class
}

// InHand is the most deliveries that a loader holds, one on the way from the client to the workers included, Prefetch those of them that wait in the client.
const (
	InHand   = inHand + prefetch + 1
	Prefetch = prefetch
)
