"""What every test of the built program starts from."""
from built import binary  # noqa: F401 (a fixture)
