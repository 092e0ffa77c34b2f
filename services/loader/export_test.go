package loader

import "time"

// Judge is judge, told as text: what to do, the wait and the class.
func Judge(err error, attempt, maxAttempts int) (string, time.Duration, string) {
	v := judge(err, attempt, maxAttempts)
	return map[action]string{done: "done", retry: "retry", reject: "reject", pause: "pause"}[v.action], v.after, v.class
}

// MostHeld is the most deliveries that a loader holds.
const MostHeld = mostHeld
