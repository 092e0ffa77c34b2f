-- +goose Up

-- Every column under the vendor's name is what the row of orders.out.simple.query says; NULL where it says nothing or what does not
-- fit. Texts have no length and numbers no precision: nothing is cut or rounded. A child table's rows stand in the order of the array.

-- The newest version of each order: by ts, else modified, then by sequence.
--   source        the merchant's account
--   sequence      place on the stream
--   surprises     fields whose value did not fit its column, or from which U+0000, which a text cannot hold, was taken out
--   raw           the row's bytes as received, with everything that the other columns cannot hold
CREATE TABLE juliu.sales_out_order (
    source                 text NOT NULL,
    sequence               bigint NOT NULL,
    content_hash           bytea NOT NULL,
    fetched_at             timestamptz,
    published_at           timestamptz,
    surprises              text[] NOT NULL,
    raw                    bytea NOT NULL,
    co_id                  bigint,
    shop_id                bigint,
    io_id                  bigint NOT NULL,
    o_id                   bigint,
    so_id                  text,
    created                timestamptz,
    modified               timestamptz,
    status                 text,
    order_type             text,
    invoice_title          text,
    shop_buyer_id          text,
    receiver_country       text,
    receiver_state         text,
    receiver_city          text,
    receiver_district      text,
    receiver_town          text,
    receiver_address       text,
    receiver_name          text,
    receiver_phone         text,
    receiver_mobile        text,
    buyer_message          text,
    remark                 text,
    is_cod                 boolean,
    pay_amount             numeric,
    l_id                   text,
    io_date                timestamptz,
    lc_id                  text,
    stock_enabled          text,
    drp_co_id_from         text,
    labels                 text,
    paid_amount            numeric,
    free_amount            numeric,
    freight                numeric,
    weight                 numeric,
    f_weight               numeric,
    merge_so_id            text,
    wms_co_id              bigint,
    business_staff         text,
    currency               text,
    ts                     bigint,
    pay_date               timestamptz,
    logistics_company      text,
    shop_name              text,
    node                   text,
    is_print               boolean,
    is_print_express       boolean,
    f_freight              numeric,
    qty                    numeric,
    buyer_paid_amount      numeric,
    seller_income_amount   numeric,
    owner_co_id            bigint,
    order_staff_id         bigint,
    order_staff_name       text,
    open_id                text,
    buyer_id               text,
    seller_flag            bigint,
    wave_id                bigint,
    volume                 numeric,
    package                text,
    cus_id                 bigint,
    as_id                  bigint,
    outer_so_id            text,
    oaid                   text,
    is_split               boolean,
    is_merge               boolean,
    f_volume               numeric,
    first_freight          numeric,
    outerwms_freight       numeric,
    first_freight_tariff   numeric,
    field_2                text,
    gov_supplier_name      text,
    government_free_amount numeric,
    shipment               text,
    deliver_name           text,
    channel_name           text,
    tracking_number        text,
    package_no             text,
    warehouse_oid          text,
    PRIMARY KEY (source, io_id)
);

-- items.
CREATE TABLE juliu.sales_out_item (
    source               text NOT NULL,
    io_id                bigint NOT NULL,
    position             integer NOT NULL,
    ioi_id               bigint,
    pic                  text,
    sku_id               text,
    qty                  numeric,
    name                 text,
    properties_value     text,
    sale_price           numeric,
    sale_amount          numeric,
    i_id                 text,
    sale_base_price      numeric,
    oi_id                bigint,
    unit                 text,
    combine_sku_id       text,
    is_gift              boolean,
    outer_oi_id          text,
    raw_so_id            text,
    batch_id             text,
    product_date         timestamptz,
    supplier_id          text,
    expiration_date      timestamptz,
    free_amount          numeric,
    order_base_price     numeric,
    pay_amount           numeric,
    buyer_paid_amount    numeric,
    seller_income_amount numeric,
    volume               numeric,
    bu_id                text,
    combine_sku_qty      numeric,
    PRIMARY KEY (source, io_id, position)
);

-- batchs.
CREATE TABLE juliu.sales_out_batch (
    source          text NOT NULL,
    io_id           bigint NOT NULL,
    position        integer NOT NULL,
    batch_no        text,
    ioi_id          bigint,
    sku_id          text,
    qty             numeric,
    product_date    timestamptz,
    supplier_id     text,
    supplier_name   text,
    expiration_date timestamptz,
    status          text,
    PRIMARY KEY (source, io_id, position)
);

-- sns.
CREATE TABLE juliu.sales_out_serial (
    source     text NOT NULL,
    io_id      bigint NOT NULL,
    position   integer NOT NULL,
    sku_id     text,
    sn         text,
    is_pack_sn boolean,
    is_opened  boolean,
    pack_sn    text,
    PRIMARY KEY (source, io_id, position)
);

-- cb_finance.
CREATE TABLE juliu.sales_out_cb_finance (
    source              text NOT NULL,
    io_id               bigint NOT NULL,
    position            integer NOT NULL,
    o_id                bigint,
    rebate_fee          numeric,
    product_tax         numeric,
    shipping_tax        numeric,
    other_income        numeric,
    voucher_from_seller numeric,
    platform_commission numeric,
    transition_fee      numeric,
    transaction_fee     numeric,
    opaque_bagging_fee  numeric,
    other_expense       numeric,
    PRIMARY KEY (source, io_id, position)
);

-- cb_finances.
CREATE TABLE juliu.sales_out_cb_finances (
    source              text NOT NULL,
    io_id               bigint NOT NULL,
    position            integer NOT NULL,
    o_id                bigint,
    rebate_fee          numeric,
    product_tax         numeric,
    shipping_tax        numeric,
    other_income        numeric,
    voucher_from_seller numeric,
    platform_commission numeric,
    transition_fee      numeric,
    transaction_fee     numeric,
    opaque_bagging_fee  numeric,
    other_expense       numeric,
    PRIMARY KEY (source, io_id, position)
);

-- cb_financenew.
CREATE TABLE juliu.sales_out_cb_financenew (
    source              text NOT NULL,
    io_id               bigint NOT NULL,
    position            integer NOT NULL,
    o_id                bigint,
    rebate_fee          numeric,
    product_tax         numeric,
    shipping_tax        numeric,
    other_income        numeric,
    voucher_from_seller numeric,
    platform_commission numeric,
    transition_fee      numeric,
    transaction_fee     numeric,
    opaque_bagging_fee  numeric,
    other_expense       numeric,
    PRIMARY KEY (source, io_id, position)
);

-- ClusterInfos.
CREATE TABLE juliu.sales_out_parcel (
    source           text NOT NULL,
    io_id            bigint NOT NULL,
    position         integer NOT NULL,
    own_io_id        bigint,
    l_id             text,
    logistic_company text,
    lc_id            text,
    f_weight         numeric,
    PRIMARY KEY (source, io_id, position)
);
