package jushuitan

import (
	"context"
	"errors"
	"fmt"
	"time"
)

type builder func(now time.Time) (request, error)

// call makes one call and, when it is refused for its timestamp, a second one.
func (c *Client) call(ctx context.Context, name string, build builder) (reply, error) {
	r, err := c.attempt(ctx, name, build)
	if e, ok := errors.AsType[*Error](err); ok && e.Kind == ClockSkew {
		return c.attempt(ctx, name, build)
	}
	return r, err
}

func (c *Client) attempt(ctx context.Context, name string, build builder) (reply, error) {
	turn, err := c.governor.take(ctx)
	if err != nil {
		return reply{}, fmt.Errorf("query %s: wait for the budget of calls: %w", name, err)
	}
	now := c.now()
	req, err := build(now)
	if err != nil {
		c.governor.drop(turn)
		return reply{}, err
	}
	r, err := c.send(ctx, name, req, now)
	if e, ok := errors.AsType[*Error](err); ok && e.limited() {
		c.governor.refuse(turn, e.Kind, e.RetryAfter)
		e.RetryAfter = 0
	} else {
		c.governor.give(turn, err == nil)
	}
	return r, err
}

func (c *Client) send(ctx context.Context, name string, req request, now time.Time) (reply, error) {
	res, err := c.http.R().SetContext(ctx).SetHeader("Content-Type", req.contentType).SetBody(req.body).Post(req.url)
	if err != nil && ctx.Err() != nil {
		return reply{}, fmt.Errorf("query %s: send: %w", name, ctx.Err())
	}
	a := answer{gateway: c.gateway, name: name, sentAt: now, hidden: append(c.secrets(), req.hidden...)}
	return a.read(res, err)
}
