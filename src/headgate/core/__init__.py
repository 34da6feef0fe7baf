"""Types, errors, money and parsers that every layer shares. Nothing here does input or output."""
