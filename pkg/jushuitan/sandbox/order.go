package sandbox

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// The merchant's company and the numbers from which the others count.
const (
	companyID    = 11053062
	firstShop    = 10394533
	firstOID     = 36_008
	firstSOID    = 3_425_786_782_000_000_000 // past 2^53
	firstLID     = 144_000_000_000
	firstItem    = 198
	splitEvery   = 11 // each such order was split from the one before and shares its o_id
	rowsPerWave  = 40
	distributors = 3
	firstDealer  = 10_022_001
)

// catalogue derives what an order is from its number alone. It never changes and is safe for concurrent use.
type catalogue struct {
	seed        uint64
	shops       int
	omitBatches bool
	zone        *time.Location
	words       vocabulary
}

// Purposes of mix; quirks take the bits below 1<<16.
const (
	purposeShop uint64 = 1<<16 + iota
	purposeWarehouse
	purposeDealer
	purposeWave
	purposeCarrier
	purposeOrder
	purposeAccess
	purposeRefresh
)

// shop is the shop_id; 0 for the three in a hundred that are offline.
func (c *catalogue) shop(ioID int64) int64 {
	throw := mix(c.seed, ioID, purposeShop)
	if throw%100 < 3 {
		return 0
	}
	return firstShop + int64(throw>>32%uint64(c.shops)) //nolint:gosec // Below shops.
}

func (c *catalogue) hasShop(id int64) bool {
	return id == 0 || id >= firstShop && id < firstShop+int64(c.shops)
}

func (c *catalogue) warehouse(ioID int64) int64 {
	return pick(c.words.warehouses, mix(c.seed, ioID, purposeWarehouse))
}

// dealer is the distributor, 0 for most.
func (c *catalogue) dealer(ioID int64) int64 {
	throw := mix(c.seed, ioID, purposeDealer)
	if throw%20 != 0 {
		return 0
	}
	return firstDealer + int64(throw>>32%distributors)
}

func (c *catalogue) wave(ioID int64) int64 { return 7000 + (ioID-firstIOID)/rowsPerWave }

func (c *catalogue) carrier(ioID int64) carrier {
	return pick(c.words.carriers, mix(c.seed, ioID, purposeCarrier))
}

func (c *catalogue) oID(ioID int64) int64 {
	n := ioID - firstIOID
	if n > 0 && n%splitEvery == 0 {
		n--
	}
	return firstOID + n
}

func (c *catalogue) soID(ioID int64) string {
	return strconv.FormatInt(firstSOID+c.oID(ioID)*7, 10)
}

func (c *catalogue) lID(ioID int64) string {
	return c.carrier(ioID).prefix + strconv.FormatInt(firstLID+ioID*3, 10)
}

// byOID are the io_ids that may have an o_id.
func byOID(oID int64) []int64 {
	return []int64{oID - firstOID + firstIOID, oID - firstOID + firstIOID + 1}
}

func bySOID(soID string) []int64 {
	n, err := strconv.ParseInt(soID, 10, 64)
	if err != nil {
		return nil
	}
	return byOID((n - firstSOID) / 7)
}

func byLID(lID string) []int64 {
	n, err := strconv.ParseInt(strings.TrimLeft(lID, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"), 10, 64)
	if err != nil {
		return nil
	}
	return []int64{(n - firstLID) / 3}
}

// order is the unchanging part of an order, drawn from its number.
type order struct {
	kind, staff, invoice, buyer     string
	place                           place
	name, address, phone            string
	message, note, mergedFrom       string
	cod                             bool
	items                           []line
	goods, free, freight, weight    int64 // cents, grams
	flag                            int64
	payDelay                        int64 // seconds from payment to creation
	firstRemark, firstLabel, openID uint64
}

type line struct {
	product    product
	id         int64
	variant    string
	colour     string
	size       string
	qty, price int64
	gift       bool
	combined   bool
	batch      bool
	serial     bool
	expiry     bool
	base       int64
	made       int64 // days before creation
	supplier   int
}

func pick[T any](from []T, throw uint64) T { return from[throw>>1%uint64(len(from))] }

// order draws an order. All of its draws are made in a fixed order from one generator, so equal numbers give equal orders.
func (c *catalogue) order(ioID int64) order {
	rng := rand.New(rand.NewPCG(c.seed, mix(c.seed, ioID, purposeOrder))) //nolint:gosec // Repeatable on purpose.
	w := &c.words
	o := order{
		kind:        pick(w.orderTypes, rng.Uint64()),
		staff:       pick(w.staff, rng.Uint64()),
		buyer:       fmt.Sprintf("tb%07d_%02d", rng.IntN(1e7), rng.IntN(100)),
		place:       pick(w.places, rng.Uint64()),
		name:        pick(w.surnames, rng.Uint64()) + pick(w.givenNames, rng.Uint64()),
		phone:       fmt.Sprintf("1700000%04d", rng.IntN(10_000)),
		cod:         rng.IntN(25) == 0,
		freight:     int64(rng.IntN(4)) * 400,
		flag:        int64(rng.IntN(6)),
		payDelay:    int64(rng.IntN(600)),
		firstRemark: rng.Uint64(),
		firstLabel:  rng.Uint64(),
		openID:      rng.Uint64(),
	}
	o.address = fmt.Sprintf("%s%s%s%s%d号%s%d幢%d室", o.place.city, o.place.district, o.place.town, pick(w.streets, rng.Uint64()),
		1+rng.IntN(899), pick(w.estates, rng.Uint64()), 1+rng.IntN(30), 101+rng.IntN(2500))
	if rng.IntN(4) == 0 {
		o.message = pick(w.messages, rng.Uint64())
	}
	if rng.IntN(12) == 0 {
		o.invoice = pick(w.suppliers, rng.Uint64())
	}
	if rng.IntN(15) == 0 {
		o.note = pick(w.notes, rng.Uint64())
	}
	if rng.IntN(18) == 0 {
		o.mergedFrom = c.soID(ioID+splitEvery) + "," + c.soID(ioID+splitEvery+1)
	}
	for i := range 1 + min(rng.IntN(5), rng.IntN(5)) {
		l := c.line(rng, ioID, int64(i))
		o.items = append(o.items, l)
		o.goods += l.price * l.qty
		o.weight += l.product.grams * l.qty
	}
	o.free = o.goods * int64(rng.IntN(20)) / 100
	return o
}

func (c *catalogue) line(rng *rand.Rand, ioID, place int64) line {
	w := &c.words
	l := line{
		product:  pick(w.goods, rng.Uint64()),
		id:       firstItem + (ioID-firstIOID)*8 + place,
		colour:   pick(w.colours, rng.Uint64()),
		size:     pick(w.sizes, rng.Uint64()),
		qty:      1 + int64(rng.IntN(3)),
		gift:     place > 0 && rng.IntN(6) == 0,
		combined: rng.IntN(10) == 0,
		batch:    rng.IntN(5) == 0,
		serial:   rng.IntN(8) == 0,
		made:     int64(30 + rng.IntN(300)),
		expiry:   rng.IntN(2) == 0,
		supplier: rng.IntN(len(w.suppliers)),
	}
	l.variant = fmt.Sprintf("%03d", 1+rng.IntN(36))
	l.base = l.product.cents
	if !l.gift {
		l.price = l.base - l.base*int64(rng.IntN(15))/100
	}
	return l
}
