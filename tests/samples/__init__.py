"""Run folders made up for the tests of what reads them."""
