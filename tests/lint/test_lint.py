"""The lint under pytest: every rule on this tree, and every rule on the examples that break it."""

import os

import bad_examples
import pytest
import rules

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.fixture(scope="session")
def tree():
    return rules.Tree(ROOT)


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_tree(tree, rule):
    try:
        problems = rule(tree)
    except rules.Skip as skip:
        pytest.skip(str(skip))
    assert not problems, "\n" + "\n".join(problems)


@pytest.mark.parametrize("example", bad_examples.BAD, ids=bad_examples.name_of)
def test_bad_example(example, tmp_path):
    try:
        assert not bad_examples.check(example, str(tmp_path))
    except rules.Skip as skip:
        pytest.skip(str(skip))


def test_good_example(tmp_path):
    assert not bad_examples.check_good(str(tmp_path))
