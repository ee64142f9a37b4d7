"""``python -m nbn_spec``."""

from nbn_spec.cli import main

if __name__ == "__main__":
    main()
