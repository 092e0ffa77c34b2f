package sandbox

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// extras are the blocks that a query asks for on top of a plain row.
type extras struct {
	orderFields, itemFields map[string]bool
	crossBorder             bool
}

// row appends one version of an order as the ERP writes it, followed by a comma. Equal arguments give equal bytes.
func (c *catalogue) row(buf []byte, id int32, created int64, v version, x extras) []byte {
	ioID := firstIOID + int64(id)
	o := c.order(ioID)
	e := encoder{buf: buf, flaws: v.flaws, zone: c.zone}
	e.open('{')
	c.identity(&e, ioID, v)
	e.textOrNull("order_type", o.kind)
	e.seconds("created", created)
	e.milliseconds("modified", v.modified)
	e.seconds("io_date", v.shipped)
	e.seconds("pay_date", paidAt(o, created))
	c.receiver(&e, o)
	c.amounts(&e, o, v)
	c.shipping(&e, ioID, o, v)
	c.texts(&e, ioID, o, v)
	if v.flaws.has(quirkNoItems) {
		if ioID%2 == 0 {
			e.null("items")
		}
	} else {
		e.key("items")
		e.open('[')
		for _, l := range o.items {
			c.item(&e, ioID, l, x)
		}
		e.close(']')
	}
	if !c.omitBatches {
		c.batches(&e, o, created, v)
		c.serials(&e, o)
	}
	c.asked(&e, ioID, o, x)
	if v.flaws.has(quirkExtraFields) {
		e.buf = append(e.buf, `"x_unknown_1":"新字段","x_unknown_2":{"a":[1,2.50,null],"b":{"c":true}},"x_unknown_3":[],`...)
	}
	e.close('}')
	return e.buf
}

// paidAt is when the order was paid; cash on delivery has no such time.
func paidAt(o order, created int64) int64 {
	if o.cod {
		return 0
	}
	return created - o.payDelay
}

func (c *catalogue) identity(e *encoder, ioID int64, v version) {
	e.integer("co_id", companyID)
	shop := c.shop(ioID)
	e.integer("shop_id", shop)
	if shop == 0 {
		e.null("shop_name")
	} else {
		e.text("shop_name", "聚流旗舰店"+strconv.FormatInt(shop-firstShop+1, 10)+"号店")
	}
	if v.flaws.has(quirkNoIdentity) {
		e.null("io_id")
	} else {
		e.integer("io_id", ioID)
	}
	e.integer("o_id", c.oID(ioID))
	e.text("so_id", c.soID(ioID))
	e.integer("ts", v.ts)
	text := v.status.String()
	if v.flaws.has(quirkTrailingBlank) {
		text += " "
	}
	e.text("status", text)
}

func (c *catalogue) receiver(e *encoder, o order) {
	e.text("receiver_country", "中国")
	e.text("receiver_state", o.place.state)
	e.text("receiver_city", o.place.city)
	if e.flaws.has(quirkMasked) {
		for _, name := range []string{"receiver_district", "receiver_town", "receiver_phone"} {
			e.null(name)
		}
		e.text("receiver_address", "*****")
		e.text("receiver_name", string([]rune(o.name)[:1])+"**")
		e.text("receiver_mobile", o.phone[:3]+"****"+o.phone[7:])
		e.text("shop_buyer_id", o.buyer[:2]+"**")
		e.text("open_id", "AA"+strconv.FormatUint(o.openID, 36))
		e.null("buyer_id")
		return
	}
	e.textOrNull("receiver_district", o.place.district)
	e.text("receiver_town", o.place.town)
	e.text("receiver_address", o.address)
	e.text("receiver_name", o.name)
	e.text("receiver_phone", o.phone)
	e.text("receiver_mobile", o.phone)
	e.text("shop_buyer_id", o.buyer)
	e.text("open_id", "")
	e.text("buyer_id", strconv.FormatUint(o.openID>>20, 10))
}

func (c *catalogue) amounts(e *encoder, o order, v version) {
	pay := o.goods - o.free + o.freight
	if e.flaws.has(quirkMasked) {
		for _, name := range []string{"pay_amount", "paid_amount", "free_amount", "seller_income_amount"} {
			e.null(name)
		}
		e.money("buyer_paid_amount", pay)
	} else {
		e.money("pay_amount", pay)
		e.money("paid_amount", pay)
		e.money("free_amount", o.free)
		e.money("buyer_paid_amount", pay)
		e.money("seller_income_amount", pay-pay/50)
	}
	e.money("freight", o.freight)
	e.thousandths("weight", o.weight)
	if v.shipped == 0 {
		e.null("f_weight")
		e.null("f_freight")
	} else {
		e.thousandths("f_weight", o.weight+120)
		e.money("f_freight", 350+o.weight/1000*100)
	}
	var qty int64
	for _, l := range o.items {
		qty += l.qty
	}
	e.integer("qty", qty)
	e.null("currency")
	e.boolean("is_cod", o.cod)
}

func (c *catalogue) shipping(e *encoder, ioID int64, o order, v version) {
	by := c.carrier(ioID)
	if v.shipped == 0 {
		e.null("l_id")
		e.null("wave_id")
	} else {
		e.text("l_id", c.lID(ioID))
		e.integer("wave_id", c.wave(ioID))
	}
	e.text("lc_id", by.code)
	e.text("logistics_company", by.name)
	e.text("stock_enabled", "on")
	e.integer("wms_co_id", c.warehouse(ioID))
	e.integer("owner_co_id", companyID)
	if dealer := c.dealer(ioID); dealer == 0 {
		e.text("drp_co_id_from", "")
	} else {
		e.text("drp_co_id_from", strconv.FormatInt(dealer, 10))
	}
	e.boolean("is_print", v.shipped != 0)
	e.boolean("is_print_express", v.shipped != 0)
	e.integerOrNull("seller_flag", o.flag)
}

func (c *catalogue) texts(e *encoder, ioID int64, o order, v version) {
	e.text("business_staff", o.staff)
	e.integer("order_staff_id", 3100+int64(len(o.staff)))
	e.text("order_staff_name", o.staff)
	e.textOrNull("invoice_title", o.invoice)
	e.textOrNull("buyer_message", o.message)
	e.textOrNull("merge_so_id", o.mergedFrom)
	switch {
	case e.flaws.has(quirkControls):
		e.raw("node", "\x01线下\t备注\x0b\\u0000")
	default:
		e.textOrNull("node", o.note)
	}
	if e.flaws.has(quirkBadUTF8) {
		e.raw("remark", "加急\xff\xfe\xc3(\xe4\xb8") // Ends in two thirds of a character.
	} else {
		e.text("remark", c.remark(ioID, o, v.edits))
	}
	e.textOrNull("labels", c.label(o, v.edits))
}

// remark is "" for half of the untouched orders; each edit leaves its number, so that no two versions read alike.
func (c *catalogue) remark(ioID int64, o order, edits uint16) string {
	if edits == 0 {
		if o.firstRemark%2 == 0 {
			return ""
		}
		return pick(c.words.remarks, o.firstRemark)
	}
	return fmt.Sprintf("%s（第%d次修改）", pick(c.words.remarks, mix(c.seed, ioID, o.firstRemark+uint64(edits))), edits)
}

func (c *catalogue) label(o order, edits uint16) string {
	throw := o.firstLabel + uint64(edits)*3
	switch throw % 5 {
	case 0:
		return pick(c.words.labels, throw) + "," + pick(c.words.labels, throw+2)
	case 1, 2:
		return pick(c.words.labels, throw)
	default:
		return ""
	}
}

func (c *catalogue) item(e *encoder, ioID int64, l line, x extras) {
	e.open('{')
	e.integer("ioi_id", l.id)
	e.integer("oi_id", l.id-100)
	e.text("pic", "https://img.example.com/"+l.product.style+"/"+l.variant+".jpg")
	e.text("sku_id", l.product.style+l.variant)
	e.text("i_id", l.product.style)
	e.text("name", l.product.name)
	e.text("properties_value", l.colour+";"+l.size)
	e.integer("qty", l.qty)
	e.text("unit", l.product.unit)
	e.money("sale_price", l.price)
	e.money("sale_amount", l.price*l.qty)
	e.money("sale_base_price", l.base)
	e.money("pay_amount", l.price*l.qty)
	e.money("buyer_paid_amount", l.price*l.qty)
	e.money("seller_income_amount", l.price*l.qty)
	e.null("free_amount")
	e.null("order_base_price")
	e.boolean("is_gift", l.gift)
	if l.combined {
		e.text("combine_sku_id", "ZH-"+l.product.style)
	} else {
		e.text("combine_sku_id", "")
	}
	e.text("outer_oi_id", strconv.FormatInt(firstSOID+l.id, 10))
	e.text("raw_so_id", c.soID(ioID))
	e.null("batch_id")
	e.noDate("product_date")
	e.null("supplier_id")
	e.noDate("expiration_date")
	if x.itemFields["volume"] {
		e.thousandths("volume", l.product.grams*3)
	}
	if x.itemFields["bu_id"] {
		e.null("bu_id")
	}
	if x.itemFields["combine_sku_qty"] {
		e.integer("combine_sku_qty", l.qty)
	}
	e.close('}')
}

func (c *catalogue) batches(e *encoder, o order, created int64, v version) {
	const day = 24 * 60 * 60
	e.key("batchs")
	e.open('[')
	for _, l := range o.items {
		if !l.batch || v.shipped == 0 {
			continue
		}
		made := created - l.made*day
		e.open('{')
		e.text("batch_no", "B"+time.Unix(made, 0).In(e.zone).Format("20060102"))
		e.integer("ioi_id", l.id)
		e.text("sku_id", l.product.style+l.variant)
		e.integer("qty", l.qty)
		e.seconds("product_date", made)
		e.text("supplier_id", strconv.Itoa(2001+l.supplier))
		e.text("supplier_name", c.words.suppliers[l.supplier])
		if l.expiry {
			e.seconds("expiration_date", made+720*day)
		} else {
			e.noDate("expiration_date")
		}
		e.null("status")
		e.close('}')
	}
	e.close(']')
}

func (c *catalogue) serials(e *encoder, o order) {
	e.key("sns")
	e.open('[')
	for _, l := range o.items {
		if !l.serial {
			continue
		}
		for n := range l.qty {
			e.open('{')
			e.text("sku_id", l.product.style+l.variant)
			e.text("sn", "SN"+strings.ToUpper(l.product.style)+strconv.FormatInt(l.id*10+n, 10))
			e.boolean("is_pack_sn", false)
			e.boolean("is_opened", false)
			e.null("pack_sn")
			e.close('}')
		}
	}
	e.close(']')
}

// asked writes the fields of inout_flds and the cross-border block.
func (c *catalogue) asked(e *encoder, ioID int64, o order, x extras) {
	if x.orderFields["volume"] {
		e.thousandths("volume", o.weight*3)
	}
	if x.orderFields["package"] {
		e.text("package", "3号纸箱")
	}
	for _, name := range []string{"cus_id", "as_id", "outer_so_id"} {
		if x.orderFields[name] {
			e.null(name)
		}
	}
	if x.orderFields["oaid"] {
		e.text("oaid", strconv.FormatUint(o.openID, 36))
	}
	if x.orderFields["is_split"] {
		e.boolean("is_split", (ioID-firstIOID)%splitEvery == 0)
	}
	if x.orderFields["is_merge"] {
		e.boolean("is_merge", o.mergedFrom != "")
	}
	if x.crossBorder {
		e.key("cb_finance")
		e.open('[')
		e.open('{')
		e.integer("o_id", c.oID(ioID))
		e.money("rebate_fee", 0)
		e.money("platform_commission", o.goods/20)
		e.close('}')
		e.close(']')
	}
}
