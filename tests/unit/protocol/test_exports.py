import rtu_magics.protocol as package


def test_the_public_names():
    assert set(package.__all__) == {
        "Backoff",
        "DeltaChain",
        "ExecutionLedger",
        "InFlight",
        "Pending",
        "Replica",
        "Subscription",
        "SubscriptionState",
        "is_position",
        "positions_of",
        "resolve_cell",
    }
    for name in package.__all__:
        assert getattr(package, name).__doc__
