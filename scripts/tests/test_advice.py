"""The advice, from numbers that no emulator gives."""

import unittest

from aws_tools import advice, facts


def case(mix="hits", same=True, units=4.5, ms=9.0, query_units=4.5, query_ms=5.0):
    return {
        "values": 9,
        "mix": mix,
        "same": same,
        "statement": {"refused": None, "units": units, "ms": ms},
        "query": {"units": query_units, "ms": query_ms},
    }


class Advice(unittest.TestCase):
    def assert_fits(self, lookup, *cases):
        told = advice.advise(list(cases))
        self.assertEqual(told["identity_lookup"], lookup, told)
        return " ".join(told["reasons"])

    def test_a_statement_fits_that_is_right_and_quicker_and_no_dearer(self):
        self.assert_fits("statement", case())
        self.assert_fits("statement", case(units=0.5))
        # One read more, for the token of a page.
        self.assert_fits("statement", case(units=5.0))

    def test_what_it_costs_is_judged_by_the_worst_mix(self):
        reason = self.assert_fits("query", case(), case("misses", units=13))
        self.assertIn("costs 1.00 to 2.89 times its Query", reason)

    def test_a_cost_that_is_not_told_does_not_decide(self):
        for unknown in ({"units": None}, {"query_units": None}, {"query_units": 0}):
            self.assertIn("does not say", self.assert_fits("statement", case(**unknown)))

    def test_a_statement_that_takes_as_long_as_its_queries_gains_nothing(self):
        self.assert_fits("query", case(ms=45.0))
        self.assert_fits("query", case(), case("half", ms=50.0))
        self.assert_fits("statement", case(ms=44.0))

    def test_shared_identifiers_count_for_the_results_only(self):
        self.assert_fits("statement", case(), case("several", units=13.5, ms=60.0))
        self.assert_fits("query", case(), case("several", same=False))

    def test_a_wrong_result_outweighs_everything(self):
        self.assertIn("9 half", self.assert_fits("query", case(), case("half", same=False, units=0.5)))

    def test_the_number_of_values_follows_from_the_page(self):
        def hint(page, token):
            return advice.values_hint(
                [{"question": facts.PAGE, "answer": page}, {"question": facts.FULL_PAGE, "answer": token}]
            )

        self.assertIn("as it is", hint("10", "yes"))
        self.assertIn("10 would spare calls", hint("10", "no"))
        self.assertIsNone(hint("-", "-"))
        self.assertIsNone(hint("10", "-"))
