"""The facets as plain dictionaries. That they follow their schemas is checked in tests/integrations."""
import pytest

from mltrail import openlineage as facets


def test_every_facet_names_its_maker_and_schema():
    made = {
        "mltrail_datasetDigest": facets.dataset_digest("sha256:" + "a" * 64),
        "mltrail_exclusions": facets.exclusions(),
        "mltrail_actor": facets.actor("ana"),
        "mltrail_dateRange": facets.date_range(),
        "mltrail_datasetRole": facets.dataset_role("train"),
        "mltrail_metrics": facets.metrics(auc=0.9),
    }
    for name, facet in made.items():
        assert facet["_producer"] == facets.PRODUCER and facet["_schemaURL"] == facets.schema_url(name)


def test_what_is_not_given_is_not_there():
    assert set(facets.date_range("day", start="2025-01-01")) == {"_producer", "_schemaURL", "column", "from"}
    assert facets.exclusion("a", "b") == {"condition": "a", "reason": "b"}


def test_an_empty_list_of_exclusions_is_a_statement():
    assert facets.exclusions()["exclusions"] == []


def test_a_digest_is_taken_apart():
    facet = facets.dataset_digest("oms:00ff", method="model_signing", row_count=3)
    assert (facet["algorithm"], facet["value"], facet["method"], facet["rowCount"]) == ("oms", "00ff", "model_signing", 3)


def test_a_set_of_digests_stays_one():
    facet = facets.dataset_digest({"oms": "00ff", "dirHash": "11"})
    assert (facet["algorithm"], facet["value"], facet["others"]) == ("dirHash", "11", {"oms": "00ff"})


@pytest.mark.parametrize("make", [
    lambda: facets.dataset_digest({}),
    lambda: facets.dataset_digest("9f86"), lambda: facets.dataset_digest(":9f86"), lambda: facets.actor("ana", trigger="whim"),
    lambda: facets.dataset_role("toy"),
])
def test_what_no_schema_takes_is_refused(make):
    with pytest.raises(ValueError):
        make()
