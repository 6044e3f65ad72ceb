"""Named types written out."""

from agents.importing.mapping.expanding import expanded


def test_a_reference_becomes_the_declaration() -> None:
    tier = {"type": "enum", "name": "Tier", "symbols": ["GOLD"]}
    schema = {
        "type": "record",
        "name": "Order",
        "namespace": "shop",
        "fields": [
            {"name": "was", "type": tier},
            {"name": "is", "type": ["null", "Tier"], "default": None},
            {"name": "all", "type": {"type": "array", "items": "shop.Tier"}},
            {"name": "plain", "type": {"type": "string"}},
        ],
    }
    fields = {field["name"]: field["type"] for field in expanded(schema)["fields"]}
    assert fields == {
        "was": tier,
        "is": ["null", tier],
        "all": {"type": "array", "items": tier},
        "plain": {"type": "string"},
    }
