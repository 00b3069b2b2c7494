"""Windows programs under Wine: the product, clients of its pipe, and what stands in for wsl.exe."""
