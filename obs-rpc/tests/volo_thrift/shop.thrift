namespace rs shop

// What the tests of obs-rpc call. shop.rs is made from it.
struct Order {
    1: required string what,
    2: required i32 wait_ms,
    3: optional binary padding,
}

struct Receipt {
    1: required string what,
    2: optional binary padding,
}

exception SoldOut {
    1: required string what,
}

service Shop {
    Receipt Buy(1: Order order) throws (1: SoldOut sold_out),
    oneway void Tell(1: Order order),
}
