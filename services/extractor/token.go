package extractor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"juliu/pkg/control"
	"juliu/pkg/jushuitan"
	"juliu/pkg/logging"
)

// TokenStore holds the token of each source. It is safe for concurrent use by many processes.
type TokenStore interface {
	// Load returns the token and its revision, zero and 0 when there is none; control.ErrSealed.
	Load(ctx context.Context, source string) (control.Token, uint64, error)
	// Save replaces the token of this revision, 0 creates it, and returns its new revision; control.ErrConflict.
	Save(ctx context.Context, source string, token control.Token, revision uint64) (uint64, error)
}

// tokenClient is the ERP's client as the keeper needs it.
type tokenClient interface {
	ERP
	RefreshToken(ctx context.Context) (jushuitan.Token, error)
	Adopt(t jushuitan.Token)
}

// maxAsks is how often one query is asked: the token that it was asked with may be dead, the one that was found stored may be, and the
// refreshed one may not be known everywhere yet.
const maxAsks = 4

// maxFormer is how many origins before the last one are remembered.
const maxFormer = 16

// keeperDeps is what a keeper works with.
type keeperDeps struct {
	client  tokenClient
	store   TokenStore
	log     logrus.FieldLogger
	metrics *tokenMetrics
	now     func() time.Time
	// source is whose token it is; holder names this run of this process among all of them.
	source, holder string
	// erp is the environment's word: gateway and tokens.
	erp jushuitan.Config
}

// keeper asks the ERP for all callers in the process and keeps its token alive: it refreshes ahead of time, or when a call finds the token
// dead, and shares the result with the other processes of the source. It is safe for concurrent use.
//
// Of all processes one refreshes at a time: it writes a claim before the call and the answered token after it, each only if nobody wrote
// in between. Whoever dies on the way leaves a claim that another takes over.
type keeper struct {
	keeperDeps

	// able says that there is something to refresh with. Without it the keeper only passes calls on.
	able bool
	turn chan struct{} // holds one element while this process looks after the token
	// proven says that the ERP knew our signature: the app secret is right.
	proven atomic.Bool

	mu    sync.Mutex // guards state
	state tokenState
}

// openKeeper returns a keeper that uses the stored token, or the environment's if that is new. The error is the store's.
func openKeeper(ctx context.Context, deps keeperDeps) (*keeper, error) {
	deps.log = deps.log.WithField(logging.Source, deps.source)
	k := &keeper{keeperDeps: deps, turn: make(chan struct{}, 1)}
	k.able = deps.erp.Gateway == jushuitan.Partner || !deps.erp.RefreshToken.IsZero()
	k.state.token = control.Token{Access: deps.erp.AccessToken, Refresh: deps.erp.RefreshToken, Origin: originOf(deps.erp)}
	if !k.able {
		k.log.WithField(logging.Remedy, "set JST_REFRESH_TOKEN; without it authorise the app again before the access token expires").
			Info("the access token is not refreshed")
		return k, nil
	}
	return k, k.begin(ctx)
}

// resume goes on after another process may have held the lease. A token that is nowhere but here yet is stored by run.
func (k *keeper) resume(ctx context.Context) error {
	if !k.able || k.look().unsaved != nil {
		return nil
	}
	return k.begin(ctx)
}

// begin chooses between the stored token and the environment's, and stores the latter where it is the better one.
func (k *keeper) begin(ctx context.Context) error {
	for {
		ours := k.look().token
		stored, revision, err := k.store.Load(ctx, k.source)
		switch {
		case errors.Is(err, control.ErrSealed):
			// It is replaced only once the ERP has taken our signature: the wrong secret may be ours.
			k.log.WithField(logging.Remedy, "nothing if JST_APP_SECRET was changed, else set it back").
				Warn("the stored token was sealed with another app secret, using the environment's")
			return nil
		case err != nil:
			return fmt.Errorf("load the token of %s: %w", k.source, err)
		case !stored.Access.IsZero() && (stored.Origin == ours.Origin || slices.Contains(stored.Former, ours.Origin)):
			k.use(stored) // ours may be those of before somebody authorised anew, on a process that was not told
			return nil
		case !stored.Access.IsZero():
			k.log.Info("the environment's tokens are new and replace the stored ones")
			ours.Former = slices.Concat(stored.Former[max(0, len(stored.Former)-maxFormer):], []string{stored.Origin})
		}
		if _, err = k.store.Save(ctx, k.source, ours, revision); err == nil {
			return nil
		}
		if !errors.Is(err, control.ErrConflict) {
			return fmt.Errorf("store the token of %s: %w", k.source, err)
		}
	}
}

// originOf tells the environment's tokens from others without showing them. The refresh token counts too: an operator may correct it alone.
func originOf(erp jushuitan.Config) string {
	digest := sha256.Sum256([]byte(erp.AccessToken.Reveal() + "\x00" + erp.RefreshToken.Reveal()))
	return hex.EncodeToString(digest[:])
}

// Query is jushuitan.Client's. When the token is dead it is replaced and the query is asked again; the caller sees a TokenExpired only
// where the operator must act, which the text then tells.
func (k *keeper) Query(ctx context.Context, e jushuitan.Endpoint, biz any) (jushuitan.Page, error) {
	for asks := 1; ; asks++ {
		s := k.look()
		page, err := k.client.Query(ctx, e, biz)
		dead := kindOf(err) == jushuitan.TokenExpired
		if err == nil || dead {
			k.proven.Store(true)
		}
		switch {
		case !dead:
			return page, err
		case !k.able:
			return page, fmt.Errorf("%w; JST_REFRESH_TOKEN is not set, so it was not refreshed: %s", err, k.remedy())
		case asks == maxAsks:
			return page, fmt.Errorf("%w, although it was refreshed; if it lasts, %s", err, k.remedy())
		case s.fresh(k.now()):
			pause(ctx, freshWait)
		default:
			if cause := k.renew(ctx, s.generation, true); cause != nil {
				return page, k.explain(err, cause)
			}
		}
	}
}

// explain joins the dead token and why it could not be replaced. A refusal of the refresh makes it a TokenExpired; all else stays the
// trouble that it is, which may be waited for.
func (k *keeper) explain(dead, cause error) error {
	if hopeless(cause) || early(cause) {
		return fmt.Errorf("%w; the refresh was refused (%v): %s", dead, cause, k.remedy()) //nolint:errorlint // the order call's kind decides
	}
	return fmt.Errorf("replace the dead access token: %w", cause)
}

// remedy is what the operator does about a token that cannot be refreshed.
func (k *keeper) remedy() string {
	if k.erp.Gateway == jushuitan.Partner {
		return "set JST_ACCESS_TOKEN in the extractor's environment to the token that the partner platform shows now, and start it again"
	}
	return "let the merchant authorise the app again on the Jushuitan open platform, set JST_ACCESS_TOKEN and JST_REFRESH_TOKEN " +
		"in the extractor's environment, and start it again"
}

// kindOf is the Kind of an ERP's error, "" for others.
func kindOf(err error) jushuitan.Kind {
	if e, ok := errors.AsType[*jushuitan.Error](err); ok {
		return e.Kind
	}
	return ""
}
