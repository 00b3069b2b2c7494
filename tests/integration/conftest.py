"""The integration tests: real engines in the simulated WSL VM. Their fixtures are in tests/conftest.py."""


def pytest_collection_modifyitems(items):
    """The simulator's own tests first: some need to be the only VM, and all else stands on it."""
    items.sort(key=lambda item: item.path.name != "test_vm.py")
