package postgres

import "juliu/pkg/record"

// salesOut is the tables of orders.out.simple.query; its columns are in migrations/0001_sales_out.sql.
func salesOut() table {
	return newTable(record.SalesOut(), "sales_out_order", map[string]string{
		"items":         "sales_out_item",
		"batchs":        "sales_out_batch",
		"sns":           "sales_out_serial",
		"cb_finance":    "sales_out_cb_finance",
		"cb_finances":   "sales_out_cb_finances",
		"cb_financenew": "sales_out_cb_financenew",
		"ClusterInfos":  "sales_out_parcel",
	}, []string{
		"pay_amount", "paid_amount", "free_amount", "freight", "weight", "f_weight", "f_freight", "qty", "buyer_paid_amount",
		"seller_income_amount", "volume", "f_volume", "first_freight", "outerwms_freight", "first_freight_tariff", "government_free_amount",
		"sale_price", "sale_amount", "sale_base_price", "order_base_price", "combine_sku_qty", "rebate_fee", "product_tax", "shipping_tax",
		"other_income", "voucher_from_seller", "platform_commission", "transition_fee", "transaction_fee", "opaque_bagging_fee",
		"other_expense",
	})
}
