//! URL templates that the tests register.

/// Every field of the network, under its own name, in a common order.
pub(crate) const COMPLETE: &str = "etransaction_id=<etransaction_id>&is_event=<is_event>&advertiser_id=<advertiser_id>&sid=<sid>&order_id=<order_id>&offer_id=<offer_id>&sku_number=<sku_number>&product_name=<product_name>&quantity=<quantity>&sale_amount=<sale_amount>&commissions=<commissions>&currency=<currency>&transaction_date=<transaction_date>&process_date=<process_date>&transaction_type=<transaction_type>&commission_list_id=<commission_list_id>&u1=<u1>";

/// The same in reverse, some renamed, with static values between them.
pub(crate) const REORDERED: &str = "site=blog&u1=<u1>&process_date=<process_date>&tdate=<transaction_date>&cur=<currency>&commissions=<commissions>&cid=7&sale_amount=<sale_amount>&quantity=<quantity>&product_name=<product_name>&sku_number=<sku_number>&offer_id=<offer_id>&oid=<order_id>&sid=<sid>&mid=<advertiser_id>&is_event=<is_event>&tid=<etransaction_id>";

/// [`COMPLETE`] as somebody configured it by mistake: the article under the click id, and the reverse.
pub(crate) fn swapped() -> String {
    COMPLETE
        .replace("sku_number=<sku_number>", "sku_number=<u1>")
        .replace("u1=<u1>", "u1=<sku_number>")
}
